//! compressed-tensors' "pack-quantized": rows of words in their natural order, as vLLM's and RedHat's models have it.
//!
//! Weights and zero points are stored with 8 added, so that 8 is the zero of a symmetric tensor.

use std::ops::Range;

use super::Extent;
use super::columns::Columns;
use super::part::{Halves, Parts, nibble, spread};
use crate::error::FormatError;

const WEIGHT_PACKED: usize = 0;
const WEIGHT_SCALE: usize = 1;
const WEIGHT_SHAPE: usize = 2;
const THE_REST: usize = 3;

/// Parts: weight_packed, weight_scale, weight_shape, and perhaps weight_zero_point, and perhaps weight_g_idx.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PackQuantized {
    pub(crate) group_size: usize,
    pub(crate) scales: Halves,
    pub(crate) zero_points: ZeroPoints,
    pub(crate) has_g_idx: bool,
    /// Bytes of each number in weight_shape.
    pub(crate) shape_bytes: usize,
}

/// What is taken off the weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ZeroPoints {
    /// The middle, 8.
    Symmetric,
    /// `i32 [out / 8, in / g]`, eight outputs to a word.
    Packed,
    /// `i8 [out, in / g]` without the 8 that is added elsewhere: before compressed-tensors 0.9.
    Bytes,
}

impl PackQuantized {
    pub(super) fn extents(&self, columns: usize) -> Vec<Extent> {
        let more = usize::from(self.zero_points != ZeroPoints::Symmetric) + usize::from(self.has_g_idx);
        let mut extents = vec![Extent::Row(columns / 2)];
        extents.resize(THE_REST + more, Extent::Whole);
        extents
    }

    /// The groups; and that the shape, which only the tensor's bytes have, is what the config wants.
    pub(super) fn columns(&self, parts: &Parts) -> Result<Columns, FormatError> {
        let numbers = parts.bytes(WEIGHT_SHAPE).chunks(self.shape_bytes.max(1));
        let number = |le: &[u8]| le.iter().rev().fold(0u64, |number, byte| number << 8 | u64::from(*byte));
        let found: Vec<u64> = numbers.map(number).collect();
        let expected = [parts.tensor.rows as u64, parts.tensor.columns as u64];
        if found != expected {
            return Err(parts.invalid(
                "weight_shape",
                format_args!("{expected:?}"),
                format_args!("{found:?}"),
            ));
        }
        let g_idx = THE_REST + usize::from(self.zero_points != ZeroPoints::Symmetric);
        // Quantizers that have not sorted anything leave the -1 that the index is made with.
        let is_made_use_of = self.has_g_idx && !parts.words(g_idx).contains(&[255; 4]);
        match is_made_use_of {
            true => Columns::by_index(parts, g_idx, self.group_size),
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
        let of_columns = parts.tensor.columns;
        let groups = of_columns.div_ceil(self.group_size.max(1));
        let skipped = (rows.start - parts.first_row) * (of_columns / 2);
        let packed = parts.bytes(WEIGHT_PACKED).get(skipped..).unwrap_or_default();
        let mut q = vec![0; of_columns];
        for (row, packed) in rows.zip(packed.chunks_exact(of_columns / 2)) {
            spread(packed, &mut q);
            let scale = |group| parts.scale(WEIGHT_SCALE, self.scales, row * groups + group);
            match self.zero_points {
                ZeroPoints::Symmetric => columns.push_q4_0(&q, out, scale)?,
                ZeroPoints::Packed => {
                    let zeros = parts.words(THE_REST);
                    columns.push_q4_z(&q, out, scale, |group| {
                        nibble(zeros, row / 8 * groups + group, row % 8)
                    })?;
                }
                ZeroPoints::Bytes => {
                    let zeros = parts.bytes(THE_REST);
                    let zero = |group| zeros.get(row * groups + group).copied().unwrap_or_default();
                    columns.push_q4_z(&q, out, scale, |group| zero(group).wrapping_add(8) & 15)?;
                }
            }
        }
        Ok(())
    }
}
