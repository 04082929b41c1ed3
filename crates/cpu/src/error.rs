//! What can go wrong while weights arrive.

use format::{FormatError, TensorName};

/// Why weights can't be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CpuError {
    /// There is no memory for a tensor.
    #[error(
        "There is not enough memory for {tensor} with its {weights} weights; choose a smaller model, fewer bits a weight, \
         or a GPU."
    )]
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
    /// More context than there can be memory for.
    #[error(
        "A context of {asked} tokens was asked for, but beside the model's weights the CPU can hold the keys and values of \
         at most {most}; ask for fewer, or choose a smaller model."
    )]
    ContextTooLong {
        /// Asked for.
        asked: usize,
        /// The most that fit.
        most: usize,
    },
    /// There is no memory for the keys and values of more tokens.
    #[error(
        "There is not enough memory for the keys and values of more than {tokens} tokens: {} KiB more are needed in each \
         layer; start a new chat, close other tabs and programs, or load a smaller model.",
        bytes.div_ceil(1024)
    )]
    ContextOutOfMemory {
        /// How many tokens there is room for.
        tokens: usize,
        /// Bytes that a layer lacks.
        bytes: u64,
    },
    /// One worker told another what is no order.
    #[error("A worker was told {found}, which is no order; load the model again.")]
    NoOrder {
        /// The order's number.
        found: u32,
    },
    /// What one worker told another was not whole.
    #[error(
        "What one worker sent another broke off: {expected} bytes were expected, {found} came; load the model again."
    )]
    BrokenOff {
        /// Bytes that had to come next.
        expected: u64,
        /// Bytes that were left.
        found: usize,
    },
    /// The bytes did not come in order and whole, or their blocks can't be read.
    #[error(transparent)]
    Format(#[from] FormatError),
}

fn gibibytes(bytes: u64) -> String {
    format!("{:.2} GiB", bytes as f64 / f64::from(1 << 30))
}
