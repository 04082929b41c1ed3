//! What can keep a model from running.

use format::{GgmlType, TensorName};
use gpu::GpuError;

/// Every failure of this crate.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum LlamaError {
    /// The device.
    #[error(transparent)]
    Gpu(#[from] GpuError),
    /// A weight type that no kernel computes with.
    #[error("{tensor} is stored as {dtype}, which is not supported; Q4_0, Q4_1, Q6_K, Q8_0, F16 and F32 are")]
    UnsupportedType {
        /// The tensor.
        tensor: TensorName,
        /// Its type.
        dtype: GgmlType,
    },
    /// The file's bytes did not come in order and whole.
    #[error(
        "the model's bytes are incomplete: expected byte {expected}, got byte {found}; load the model again"
    )]
    Incomplete {
        /// The next byte that was needed.
        expected: u64,
        /// What came.
        found: u64,
    },
    /// More context than the model has.
    #[error("a context of {asked} tokens was asked for, but the model has at most {most}")]
    Context {
        /// Asked for.
        asked: usize,
        /// `max_position_embeddings`
        most: usize,
    },
    /// A head size that the attention kernel does not divide into quads.
    #[error("the model's head_dim is {found}; this engine needs a multiple of 4, at most 256")]
    HeadDim {
        /// Found.
        found: usize,
    },
}
