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
        let of_rows = parts.tensor.rows;
        let words = (of_rows / 8).max(1); // Of a column, and of a group.
        let mut q = vec![0; rows.len() * parts.tensor.columns]; // [rows, columns]
        for (column, words) in qweight.chunks_exact(words).enumerate() {
            let of_column = q.iter_mut().skip(column).step_by(parts.tensor.columns);
            for (q, row) in of_column.zip(rows.clone()) {
                *q = nibble(words, row / 8, NIBBLE_OF[row % 8]);
            }
        }
        for (q, row) in q.chunks_exact(parts.tensor.columns).zip(rows) {
            let scale = |group| parts.scale(SCALES, self.scales, group * of_rows + row);
            let zero = |group| nibble(qzeros, group * words + row / 8, NIBBLE_OF[row % 8]);
            columns.push_q4_z(q, out, scale, zero)?;
        }
        Ok(())
    }
}
