//! What can keep a model from running.

use format::{FormatError, GgmlType, TensorName};
use gpu::GpuError;

/// Every failure of this crate.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum LlamaError {
    /// The device.
    #[error(transparent)]
    Gpu(#[from] GpuError),
    /// A weight type that no kernel computes with.
    #[error(
        "{tensor} is stored as {dtype}, which no kernel computes with; take the model in another quantization"
    )]
    UnsupportedType {
        /// The tensor.
        tensor: TensorName,
        /// Its type.
        dtype: GgmlType,
    },
    /// The bytes did not come in order and whole.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// More context than the model has.
    #[error("a context of {asked} tokens was asked for, but the model has at most {most}")]
    Context {
        /// Asked for.
        asked: usize,
        /// `max_position_embeddings`
        most: usize,
    },
    /// More context than the device can hold.
    #[error(
        "a context of {asked} tokens was asked for, but this device can hold the keys and values of at most {most}; \
         ask for fewer, or for keys and values in fewer bits"
    )]
    ContextTooLong {
        /// Asked for.
        asked: usize,
        /// The most that fit.
        most: usize,
    },
    /// A head size that the attention kernel does not divide into quads.
    #[error("the model's head_dim is {found}; this engine needs a multiple of 4, at most 256")]
    HeadDim {
        /// Found.
        found: usize,
    },
}
