//! MLC's q4f16_1: groups of 32, nibbles 0 to 14 with 7 taken off; `Q4_0` takes off 8, so each gains 1.

use std::ops::Range;

use super::Extent;
use super::columns::Columns;
use super::part::{Halves, Parts, spread};
use crate::error::FormatError;

const Q_WEIGHT: usize = 0;
const Q_SCALE: usize = 1;

pub(super) const GROUP_SIZE: usize = 32;

/// Parts: q_weight, q_scale; of a fused tensor, the rows that are this one's.
/// Both are taken by rows: an embedding's are 263 MB and 33 MB.
pub(super) fn extents(columns: usize) -> Vec<Extent> {
    vec![Extent::Row(columns / 2), Extent::Row(columns / GROUP_SIZE * 2)]
}

pub(super) fn unpack(
    parts: &Parts,
    columns: &Columns,
    rows: Range<usize>,
    out: &mut Vec<u8>,
) -> Result<(), FormatError> {
    let of_columns = parts.tensor.columns;
    let groups = of_columns / GROUP_SIZE;
    let skipped = (rows.start - parts.first_row) * (of_columns / 2);
    let packed = parts.bytes(Q_WEIGHT).get(skipped..).unwrap_or_default();
    let mut q = vec![0; of_columns];
    for (row, packed) in rows.zip(packed.chunks_exact(of_columns / 2)) {
        spread(packed, &mut q);
        if q.contains(&15) {
            return Err(parts.invalid(format_args!("row {row}"), "weights from 0 to 14", 15));
        }
        q.iter_mut().for_each(|q| *q += 1);
        let row = row - parts.first_row;
        columns.push_q4_0(&q, out, |group| parts.scale(Q_SCALE, Halves::F16, row * groups + group))?;
    }
    Ok(())
}
