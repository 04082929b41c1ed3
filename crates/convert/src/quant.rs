//! What a tensor becomes.
//!
//! | asked | matrices | embeddings and output |
//! |---|---|---|
//! | nothing | as they are | as they are |
//! | `q4` | Q4_0, scale searched: 4.5 bits | Q6_K: 6.6 bits |
//! | `q4m` | Q4_1, scale and minimum searched: 5 bits | Q6_K |
//! | `q6` | Q6_K | Q6_K |
//! | `q8` | Q8_0: 8.5 bits | Q8_0 |
//! | `f16` | F16 | F16 |
//!
//! Q6_K has blocks of 256: rows that are no multiple of it become Q8_0. Vectors are F32 always.
//! Embeddings and output keep more bits, since what they lose shows in every token.

use format::{GgmlType, TensorInfo, TensorName};

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

/// The order of a tensor's columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ColumnOrder {
    /// As the model has them.
    Natural,
    /// By the importance that GPTQ saw in them ("act-order"), which the GPU does not compute with.
    ByImportance,
}

/// The blocks that a tensor of the source becomes.
pub(crate) fn target(tensor: &TensorInfo, order: ColumnOrder, quant: Option<Quant>) -> GgmlType {
    if tensor.rows == 1 {
        return GgmlType::F32;
    }
    let is_outer = matches!(tensor.name, TensorName::EmbedTokens | TensorName::LmHead);
    let asked = match quant {
        None if order == ColumnOrder::ByImportance => GgmlType::Q8_0,
        None => tensor.dtype,
        Some(Quant::Q4) if !is_outer => GgmlType::Q4_0,
        Some(Quant::Q4M) if !is_outer => GgmlType::Q4_1,
        Some(Quant::Q4 | Quant::Q4M | Quant::Q6) => GgmlType::Q6_K,
        Some(Quant::Q8) => GgmlType::Q8_0,
        Some(Quant::F16) => GgmlType::F16,
    };
    if tensor.columns.is_multiple_of(asked.block_len()) { asked } else { GgmlType::Q8_0 }
}
