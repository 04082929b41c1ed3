//! AWQ in the layout of its matrix-matrix kernel, "gemm": words hold eight *outputs*, shuffled.

use std::ops::Range;

use super::columns::Columns;
use super::part::{Halves, Parts, nibble};
use crate::error::FormatError;

/// Which nibble of a word holds output 8c + n: the inverse of the order 0, 2, 4, 6, 1, 3, 5, 7.
const NIBBLE_OF: [usize; 8] = [0, 4, 1, 5, 2, 6, 3, 7];

const QWEIGHT: usize = 0;
const QZEROS: usize = 1;
const SCALES: usize = 2;

/// Parts: qweight, qzeros, scales.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Awq {
    pub(crate) group_size: usize,
    pub(crate) scales: Halves,
}

impl Awq {
    pub(super) fn unpack(
        &self,
        parts: &Parts,
        columns: &Columns,
        rows: Range<usize>,
        out: &mut Vec<u8>,
    ) -> Result<(), FormatError> {
        let (qweight, qzeros) = (parts.words(QWEIGHT), parts.words(QZEROS));
        let Parts { tensor, .. } = *parts;
        let words = (tensor.rows / 8).max(1); // Of a column, and of a group.
        let wanted = rows.start / 8..rows.end.div_ceil(8);
        // The words of some rows, spread column by column: [columns, 8 words].
        let width = (8 * wanted.len()).max(1);
        let mut spread = vec![0; tensor.columns * width];
        for (words, spread) in qweight.chunks_exact(words).zip(spread.chunks_exact_mut(width)) {
            let words = words.get(wanted.clone()).unwrap_or_default();
            for (word, spread) in words.iter().zip(spread.as_chunks_mut::<8>().0) {
                let word = u32::from_le_bytes(*word);
                *spread = NIBBLE_OF.map(|nibble| (word >> (4 * nibble) & 15) as u8);
            }
        }
        let mut q = vec![0; tensor.columns];
        for row in rows {
            let at = row - 8 * wanted.start;
            for (q, spread) in q.iter_mut().zip(spread.chunks_exact(width)) {
                *q = spread.get(at).copied().unwrap_or_default();
            }
            let scale = |group| parts.scale(SCALES, self.scales, group * tensor.rows + row);
            let zero = |group| nibble(qzeros, group * words + row / 8, NIBBLE_OF[row % 8]);
            columns.push_q4_z(&q, out, scale, zero)?;
        }
        Ok(())
    }
}
