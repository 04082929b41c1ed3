//! The buffers that a matrix lies in.

use std::ops::Range;

use kernels::{Weight, WeightType};

/// Some of a matrix's rows.
#[derive(Debug)]
pub(super) struct Part {
    /// Of the matrix.
    pub(super) first_row: usize,
    pub(super) weight: Weight,
}

/// Rows of one type, to be stacked on others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stack {
    pub(crate) dtype: WeightType,
    pub(crate) rows: usize,
}

impl Part {
    /// Which of the matrix's `rows` it has, counted from its own first; none if it has none of them.
    pub(super) fn of_its_own(&self, rows: &Range<usize>) -> Option<Range<usize>> {
        let [count, _] = self.weight.shape();
        let from = rows.start.max(self.first_row);
        let to = rows.end.min(self.first_row + count);
        (from < to).then(|| from - self.first_row..to - self.first_row)
    }
}

/// Neighbours of one type share a buffer, if the seam falls between two tiles of 4 rows.
pub(super) fn merge(stacks: &[Stack]) -> Vec<Stack> {
    let mut merged: Vec<Stack> = Vec::new();
    for &stack in stacks {
        match merged.last_mut() {
            Some(last) if last.dtype == stack.dtype && last.rows % 4 == 0 => last.rows += stack.rows,
            _ => merged.push(stack),
        }
    }
    merged
}
