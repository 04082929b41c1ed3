//! What can go wrong while weights arrive.

use format::{FormatError, TensorName};

/// Why weights can't be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CpuError {
    /// There is no memory for a tensor in `f32`.
    #[error("There is not enough memory for {tensor} with its {weights} weights as f32.")]
    OutOfMemory {
        /// The tensor.
        tensor: TensorName,
        /// How many weights it has.
        weights: u64,
    },
    /// The weights take more memory than a program can have here.
    #[error(
        "The model's weights take {} on the CPU, where at most {} can be held; \
         choose a smaller model, fewer bits a weight, or a GPU.",
        gibibytes(*needed),
        gibibytes(*most)
    )]
    TooLarge {
        /// Bytes of the weights.
        needed: u64,
        /// Bytes that can be held.
        most: u64,
    },
    /// The bytes did not come in order and whole, or their blocks can't be read.
    #[error(transparent)]
    Format(#[from] FormatError),
}

fn gibibytes(bytes: u64) -> String {
    format!("{:.2} GiB", bytes as f64 / f64::from(1 << 30))
}
