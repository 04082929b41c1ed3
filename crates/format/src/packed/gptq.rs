//! GPTQ: words hold eight inputs of one output, and the words of an input lie side by side.

use std::ops::Range;

use super::Extent;
use super::columns::Columns;
use super::part::{Halves, Parts, nibble, spread};
use crate::GgmlType;
use crate::error::FormatError;

const QWEIGHT: usize = 0;
const QZEROS: usize = 1;
const SCALES: usize = 2;
const G_IDX: usize = 3;

/// Parts: qweight, qzeros, scales, and perhaps g_idx.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gptq {
    pub(crate) group_size: usize,
    pub(crate) scales: Halves,
    /// What `qzeros` is short of the zero point: 1 in the first version of the format, 0 in the second.
    pub(crate) zero_offset: u8,
    pub(crate) has_g_idx: bool,
}

impl Gptq {
    pub(super) fn extents(&self) -> Vec<Extent> {
        vec![Extent::Whole; if self.has_g_idx { 4 } else { 3 }]
    }

    pub(super) fn columns(&self, parts: &Parts) -> Result<Columns, FormatError> {
        match self.has_g_idx {
            true => Columns::by_index(parts, G_IDX, self.group_size),
            false => Ok(Columns::in_groups_of(self.group_size, parts.tensor.columns)),
        }
    }

    pub(super) fn unpack(
        &self,
        parts: &Parts,
        columns: &Columns,
        rows: Range<usize>,
        out: &mut Vec<u8>,
    ) -> Result<(), FormatError> {
        let (qweight, qzeros) = (parts.words(QWEIGHT), parts.words(QZEROS));
        let of_rows = parts.tensor.rows;
        let mut q = vec![0; rows.len() * parts.tensor.columns]; // [rows, columns]
        for (eight, words) in qweight.chunks_exact(of_rows).enumerate() {
            let of_rows = words.get(rows.clone()).unwrap_or_default();
            for (q, word) in q.chunks_exact_mut(parts.tensor.columns).zip(of_rows) {
                let (_, q) = q.split_at_mut_checked(8 * eight).unwrap_or_default();
                spread(word, q);
            }
        }
        for (q, row) in q.chunks_exact(parts.tensor.columns).zip(rows) {
            let scale = |group| parts.scale(SCALES, self.scales, group * of_rows + row);
            let stored = |group| nibble(qzeros, group * (of_rows / 8) + row / 8, row % 8);
            let zero = |group| (stored(group) + self.zero_offset) & 15;
            if parts.tensor.dtype == GgmlType::Q4_Z {
                columns.push_q4_z(q, out, scale, zero)?;
                continue;
            }
            // "sym" says that every zero is 8, and `Q4_0` relies on it.
            let zero_is_8 = |group| match zero(group) {
                8 => scale(group),
                other => Err(parts.invalid(
                    format_args!("zero of group {group}"),
                    "8, as \"sym\" in the config says",
                    other,
                )),
            };
            columns.push_q4_0(q, out, zero_is_8)?;
        }
        Ok(())
    }
}
