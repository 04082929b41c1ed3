//! What a tensor becomes when a model is quantized: while it is converted, or on its way to the device.
//!
//! | asked | matrices | embeddings and output |
//! |---|---|---|
//! | `q4` | Q4_0, scale fitted: 4.5 bits | Q6_K: 6.6 bits |
//! | `q4m` | Q4_1, scale and minimum searched: 5 bits | Q6_K |
//! | `q6` | Q6_K | Q6_K |
//! | `q8` | Q8_0: 8.5 bits | Q8_0 |
//! | `f16` | F16 | F16 |
//!
//! Q6_K has blocks of 256: rows that are no multiple of it become Q8_0. Vectors are F32 always.
//! Embeddings and output keep more bits, since what they lose shows in every token.

use std::fmt;

use crate::{Checkpoint, GgmlType, Stored, TensorInfo, TensorName};

/// How weights are to be quantized.
#[expect(missing_docs, reason = "the table above says what each is")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quant {
    Q4,
    Q4M,
    Q6,
    Q8,
    F16,
}

/// A model in floats of at most this size is run as it is, unless asked otherwise.
const SMALL_BYTES: u64 = 1 << 30;

/// What a larger one may take with 8 bits; beyond it has 4.
const MIDDLING_BYTES: u64 = 2 << 30;

impl Quant {
    /// The blocks that a matrix becomes.
    pub fn blocks(self, tensor: &TensorInfo) -> GgmlType {
        let is_outer = matches!(tensor.name, TensorName::EmbedTokens | TensorName::LmHead);
        let asked = match self {
            Quant::Q4 if !is_outer => GgmlType::Q4_0,
            Quant::Q4M if !is_outer => GgmlType::Q4_1,
            Quant::Q4 | Quant::Q4M | Quant::Q6 => GgmlType::Q6_K,
            Quant::Q8 => GgmlType::Q8_0,
            Quant::F16 => GgmlType::F16,
        };
        if tensor.columns.is_multiple_of(asked.block_len()) { asked } else { GgmlType::Q8_0 }
    }

    /// What suits a browser's memory, if nobody has asked for anything: a model in floats of more than 1 GiB gets
    /// 8 bits where it takes at most 2 GiB then, and 4 bits elsewhere. One that is quantized already stays as it is.
    pub fn suiting(checkpoint: &Checkpoint) -> Option<Quant> {
        suiting(checkpoint.quantization(), checkpoint.size(), checkpoint.parameters())
    }
}

fn suiting(dtype: GgmlType, bytes: u64, weights: u64) -> Option<Quant> {
    let is_float = matches!(dtype, GgmlType::F32 | GgmlType::F16 | GgmlType::BF16);
    let with_8_bits = weights / GgmlType::Q8_0.block_len() as u64 * GgmlType::Q8_0.block_bytes() as u64;
    match (is_float && bytes > SMALL_BYTES, with_8_bits <= MIDDLING_BYTES) {
        (false, _) => None,
        (true, true) => Some(Quant::Q8),
        (true, false) => Some(Quant::Q4),
    }
}

impl fmt::Display for Quant {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Quant::Q4 => "q4",
            Quant::Q4M => "q4m",
            Quant::Q6 => "q6",
            Quant::Q8 => "q8",
            Quant::F16 => "f16",
        })
    }
}

impl Checkpoint {
    /// The same model, its matrices to be quantized as their rows are read. Nothing is read yet.
    pub fn quantized(mut self, quant: Quant) -> Checkpoint {
        for tensor in &mut self.tensors {
            let dtype = quant.blocks(tensor);
            if tensor.rows > 1 && tensor.dtype != dtype {
                let source = tensor.clone();
                (tensor.dtype, tensor.stored) = (dtype, Stored::Quantized(Box::new(source)));
            }
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_models_in_floats_are_made_to_fit_a_browser() {
        let rows = [
            ("SmolLM2 135M in floats", GgmlType::F32, 4, 135_000_000, None),
            ("Llama 3.2 1B", GgmlType::BF16, 2, 1_236_000_000, Some(Quant::Q8)),
            ("Llama 3.2 3B", GgmlType::F16, 2, 3_213_000_000, Some(Quant::Q4)),
            ("Llama 3.1 8B", GgmlType::BF16, 2, 8_030_000_000, Some(Quant::Q4)),
            ("Llama 3.1 8B in bytes", GgmlType::Q8_0, 1, 8_030_000_000, None),
        ];
        for (name, dtype, bytes_a_weight, weights, expected) in rows {
            assert_eq!(suiting(dtype, bytes_a_weight * weights, weights), expected, "{name}");
        }
    }

    #[test]
    fn rows_that_do_not_fill_a_block_become_bytes() {
        let stored = Stored::Rows {
            span: crate::Span { file: 0, offset: 0, len: 0 },
            order: crate::RowOrder::Neighbours,
        };
        let name = TensorName::EmbedTokens;
        let tensor =
            |columns| TensorInfo { name, dtype: GgmlType::F32, rows: 4, columns, stored: stored.clone() };
        assert_eq!(Quant::Q4.blocks(&tensor(576)), GgmlType::Q8_0);
        assert_eq!(Quant::Q4.blocks(&tensor(512)), GgmlType::Q6_K);
    }
}
