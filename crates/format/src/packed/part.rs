//! The bytes of a packed tensor's parts, as what they hold.

use half::{bf16, f16};

use crate::TensorInfo;
use crate::error::{FormatError, Part};

/// Parts that have come: those that are needed whole, and some rows of the others.
#[derive(Debug)]
pub(crate) struct Parts<'a> {
    pub(crate) tensor: &'a TensorInfo,
    /// In the order in which the packing names them.
    pub(crate) bytes: &'a [Vec<u8>],
    /// The first of the rows that have come of those parts that are not needed whole.
    pub(crate) first_row: usize,
}

/// How a scale is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Halves {
    F16,
    BF16,
}

impl<'a> Parts<'a> {
    /// A part's 32-bit words.
    pub(crate) fn words(&self, part: usize) -> &'a [[u8; 4]] {
        self.bytes(part).as_chunks().0
    }

    pub(crate) fn bytes(&self, part: usize) -> &'a [u8] {
        self.bytes.get(part).map_or(&[], Vec::as_slice)
    }

    /// A scale as the half that a block has it as.
    pub(crate) fn scale(&self, part: usize, halves: Halves, index: usize) -> Result<f16, FormatError> {
        let stored = self.bytes(part).as_chunks::<2>().0.get(index).copied().unwrap_or_default();
        let scale = match halves {
            Halves::F16 => f16::from_le_bytes(stored),
            Halves::BF16 => f16::from_f32(bf16::from_le_bytes(stored).to_f32()),
        };
        match scale.is_finite() {
            true => Ok(scale),
            false => Err(self.invalid(format_args!("scale {index}"), "a number, at most 65504", {
                match halves {
                    Halves::F16 => scale.to_f32(),
                    Halves::BF16 => bf16::from_le_bytes(stored).to_f32(),
                }
            })),
        }
    }

    /// An error about the bytes of this tensor.
    pub(crate) fn invalid(
        &self,
        what: impl std::fmt::Display,
        expected: impl std::fmt::Display,
        found: impl std::fmt::Display,
    ) -> FormatError {
        Part::TensorData.invalid(format!("{what} of {}", self.tensor.name), expected, found)
    }
}

/// Nibble `at` of a word, the lowest being 0.
pub(crate) fn nibble(words: &[[u8; 4]], word: usize, at: usize) -> u8 {
    let word = words.get(word).map_or(0, |le| u32::from_le_bytes(*le));
    (word >> (4 * (at % 8)) & 15) as u8
}

/// The nibbles of packed bytes, the low one first, a byte each; as many as fit into `q`.
pub(crate) fn spread(packed: &[u8], q: &mut [u8]) {
    for ([low, high], byte) in q.as_chunks_mut().0.iter_mut().zip(packed) {
        (*low, *high) = (byte & 15, byte >> 4);
    }
}
