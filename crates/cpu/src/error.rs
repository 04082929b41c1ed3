//! What can go wrong while weights arrive.

use format::{FormatError, TensorName};

/// Why weights can't be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CpuError {
    /// Bytes in the middle of a tensor were left out.
    #[error(
        "The file's bytes must come in order: {tensor} goes on at byte {expected}, but byte {found} came next."
    )]
    Skipped {
        /// The tensor that misses bytes.
        tensor: TensorName,
        /// The next byte of it, from the start of the file.
        expected: u64,
        /// Where the piece began that came instead.
        found: u64,
    },
    /// The bytes ended before the tensors did.
    #[error("The weights are not complete: {tensor} goes on at byte {expected}, and nothing came any more.")]
    Incomplete {
        /// The first tensor that is not whole.
        tensor: TensorName,
        /// The next byte of it, from the start of the file.
        expected: u64,
    },
    /// There is no memory for a tensor in `f32`.
    #[error("There is not enough memory for {tensor} with its {weights} weights as f32.")]
    OutOfMemory {
        /// The tensor.
        tensor: TensorName,
        /// How many weights it has.
        weights: u64,
    },
    /// The blocks can't be read.
    #[error(transparent)]
    Format(#[from] FormatError),
}
