//! Four-bit weights as Hugging Face's and MLC's quantizers pack them, and how they become blocks without a loss.
//!
//! `o` is an output feature (a row), `i` an input feature (a column), `g = i / group_size` its group.
//! Eight nibbles make a 32-bit word, the lowest first.
//!
//! | packing | tensors | nibble n of word c | value | becomes |
//! |---|---|---|---|---|
//! | AWQ "gemm" | qweight i32 \[in, out/8\], qzeros i32 \[in/g, out/8\], scales f16 \[in/g, out\] | output 8c + 0 2 4 6 1 3 5 7 | (q - z) s | `Q4_Z` |
//! | GPTQ | qweight i32 \[in/8, out\], qzeros i32 \[in/g, out/8\], scales f16 \[in/g, out\], g_idx i32 \[in\] | input 8c + n | (q - z) s, where v1 stores z - 1 | `Q4_0` if symmetric, else `Q4_Z` |
//! | compressed-tensors "pack-quantized" | weight_packed i32 \[out, in/8\], weight_scale \[out, in/g\], weight_zero_point i32 \[out/8, in/g\], weight_g_idx i32 \[in\] | input 8c + n | (q - z) s | `Q4_0` if symmetric, else `Q4_Z` |
//! | MLC q4f16_1 | q_weight u32 \[out, in/8\], q_scale f16 \[out, in/32\] | input 8c + n | (q - 7) s | `Q4_0`, as (q + 1 - 8) s |
//! | bitsandbytes NF4 | weight u8 \[out in / 2, 1\], absmax, quant_map, quant_state | | table\[q\] absmax | `Q8_0`, see [`nf4`] |
//!
//! Sources: AutoAWQ's `WQLinear_GEMM`, AutoGPTQ's `QuantLinear` and GPTQModel's v2, compressed-tensors'
//! `pack_to_int32`, MLC's `GroupQuantize`, bitsandbytes' `QuantState`.
//!
//! Scales are halves in a block. Those stored as bfloat16 are halves without a loss from 2^-17 to 65504; below that
//! they lose bits that no weight shows, and above it they are refused.
//!
//! "act-order": GPTQ may quantize columns in the order of their importance. `g_idx` then gives each column its group,
//! and a group's columns are scattered. Rows come out with the columns sorted by group: see
//! [`Rows::column_order`](crate::Rows::column_order).

mod awq;
mod columns;
mod gptq;
mod mlc;
mod nf4;
mod pack_quantized;
mod part;

pub(crate) use awq::Awq;
pub(crate) use columns::Columns;
pub(crate) use gptq::Gptq;
pub use nf4::NF4;
pub(crate) use nf4::Nf4;
pub(crate) use pack_quantized::{PackQuantized, ZeroPoints};
pub(crate) use part::{Halves, Parts};

use std::ops::Range;

use crate::error::FormatError;
use crate::{RowOrder, Span, TensorInfo};

/// A tensor in several parts, which have to be brought together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed {
    pub(crate) packing: Packing,
    /// In the order in which the packing names them.
    pub(crate) parts: Vec<Span>,
    pub(crate) order: RowOrder,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packing {
    Awq(Awq),
    Gptq(Gptq),
    PackQuantized(PackQuantized),
    Mlc,
    Nf4(Nf4),
}

/// What all rows of a tensor have in common.
#[derive(Debug)]
pub(crate) enum Prepared {
    Grouped(Columns),
    Nf4(nf4::State),
}

impl Prepared {
    /// Which stored column stands where, if they change their places.
    pub(crate) fn column_order(&self) -> Option<&[u32]> {
        match self {
            Prepared::Grouped(columns) => columns.order.as_deref(),
            Prepared::Nf4(_) => None,
        }
    }
}

/// How much of a part has to be there before a row can be unpacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// All of it.
    Whole,
    /// The same rows, which have so many bytes each.
    Row(usize),
}

impl Packing {
    /// Of each part, for a tensor of so many columns.
    pub(crate) fn extents(&self, columns: usize) -> Vec<Extent> {
        match self {
            Packing::Awq(_) => vec![Extent::Whole; 3],
            Packing::Gptq(gptq) => gptq.extents(),
            Packing::PackQuantized(packed) => packed.extents(columns),
            Packing::Mlc => mlc::extents(columns),
            Packing::Nf4(nf4) => nf4.extents(columns),
        }
    }

    /// What all rows have in common, once the parts that are needed whole are there.
    pub(crate) fn prepare(&self, parts: &Parts) -> Result<Prepared, FormatError> {
        let columns = parts.tensor.columns;
        Ok(match self {
            Packing::Awq(awq) => Prepared::Grouped(Columns::in_groups_of(awq.group_size, columns)),
            Packing::Gptq(gptq) => Prepared::Grouped(gptq.columns(parts)?),
            Packing::PackQuantized(packed) => Prepared::Grouped(packed.columns(parts)?),
            Packing::Mlc => Prepared::Grouped(Columns::in_groups_of(mlc::GROUP_SIZE, columns)),
            Packing::Nf4(nf4) => Prepared::Nf4(nf4.state(parts)?),
        })
    }

    /// Appends the blocks of rows, in the order in which they are stored.
    pub(crate) fn unpack(
        &self,
        parts: &Parts,
        prepared: &Prepared,
        rows: Range<usize>,
        out: &mut Vec<u8>,
    ) -> Result<(), FormatError> {
        match (self, prepared) {
            (Packing::Awq(awq), Prepared::Grouped(columns)) => awq.unpack(parts, columns, rows, out),
            (Packing::Gptq(gptq), Prepared::Grouped(columns)) => gptq.unpack(parts, columns, rows, out),
            (Packing::PackQuantized(packed), Prepared::Grouped(columns)) => {
                packed.unpack(parts, columns, rows, out)
            }
            (Packing::Mlc, Prepared::Grouped(columns)) => mlc::unpack(parts, columns, rows, out),
            (_, Prepared::Nf4(state)) => {
                nf4::unpack(parts, state, rows, out);
                Ok(())
            }
            // `prepare` has grouped columns for all others.
            (Packing::Nf4(_), Prepared::Grouped(_)) => Ok(()),
        }
    }
}

impl Packed {
    /// Where the tensor says which group each column belongs to, if it does. Small: 4 bytes a column.
    pub fn column_index(&self) -> Option<Span> {
        let has_g_idx = match self.packing {
            Packing::Gptq(gptq) => gptq.has_g_idx,
            Packing::PackQuantized(packed) => packed.has_g_idx,
            Packing::Awq(_) | Packing::Mlc | Packing::Nf4(_) => false,
        };
        // It is the last of the parts in both.
        self.parts.last().copied().filter(|_| has_g_idx)
    }

    /// Whether columns change their places by such an index, so that rows come with a
    /// [`column_order`](crate::Rows::column_order).
    pub fn reorders_columns(index: &[u8]) -> bool {
        let groups = index.as_chunks().0.iter().map(|le| i32::from_le_bytes(*le));
        let groups: Vec<i32> = groups.collect();
        !groups.contains(&-1) && !groups.is_sorted()
    }

    /// The parts in the order in which they are read; none if rows are taken from several in turns.
    pub(crate) fn spans_of_one_pass(&self, tensor: &TensorInfo) -> Option<Vec<Span>> {
        let asked = self.asked_for(tensor);
        let by_rows = asked.iter().filter(|(_, extent)| *extent != Extent::Whole).count();
        let spans = asked.iter().filter_map(|(part, _)| self.parts.get(*part).copied());
        (by_rows < 2).then(|| spans.collect())
    }

    /// The parts that are needed whole, in the order of their bytes; then those of which the same rows are.
    pub(crate) fn asked_for(&self, tensor: &TensorInfo) -> Vec<(usize, Extent)> {
        let mut asked: Vec<_> = self.packing.extents(tensor.columns).into_iter().enumerate().collect();
        asked.sort_by_key(|(part, extent)| (*extent != Extent::Whole, self.parts.get(*part).copied()));
        asked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As [`Columns::by_index`] and what calls it decide: groups that go down again change columns; -1 is no index.
    #[test]
    fn columns_change_places_by_an_index_that_goes_down() {
        for (groups, expected) in [
            (vec![0, 0, 1, 1, 2], false),
            (vec![0, 1, 0, 1, 2], true),
            (vec![1, 0], true),
            (vec![-1, -1, -1], false),
            (vec![1, 0, -1], false),
            (vec![], false),
        ] {
            let bytes: Vec<u8> = groups.iter().flat_map(|group: &i32| group.to_le_bytes()).collect();
            assert_eq!(Packed::reorders_columns(&bytes), expected, "{groups:?}");
        }
    }
}
