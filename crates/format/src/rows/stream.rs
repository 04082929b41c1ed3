//! Tensors that are stored row by row: what comes is given, and almost nothing is kept.

use super::{RowReader, Rows, group_rows};
use crate::{FormatError, RowOrder, TensorInfo};

impl RowReader<'_> {
    /// Takes some more bytes of one tensor.
    pub(super) fn stream<E: From<FormatError>>(
        &mut self,
        tensor: &TensorInfo,
        order: RowOrder,
        bytes: &[u8],
        take: &mut dyn FnMut(Rows) -> Result<(), E>,
    ) -> Result<(), E> {
        let (row_bytes, mut rest) = (tensor.row_bytes(), bytes);
        let group = group_rows(order) * row_bytes;
        // What the last bytes left over is filled up first: to a group, or to the fewer rows that end the tensor.
        if !self.pending.is_empty() {
            let left = (tensor.rows - self.first_row).saturating_mul(row_bytes);
            let wanted = group.min(left) - self.pending.len();
            let (more, after) = rest.split_at(rest.len().min(wanted));
            self.pending.extend_from_slice(more);
            rest = after;
            if more.len() < wanted {
                return Ok(());
            }
            let rows = std::mem::take(&mut self.pending);
            self.give(tensor, order, &rows, take)?;
        }
        let left = (tensor.rows - self.first_row).saturating_mul(row_bytes);
        let whole = if rest.len() == left { left } else { rest.len() / group * group };
        let (whole, after) = rest.split_at(whole);
        self.pending.extend_from_slice(after);
        self.give(tensor, order, whole, take)
    }

    /// Gives whole groups of rows, in the one order that all others know.
    pub(super) fn give<E>(
        &mut self,
        tensor: &TensorInfo,
        order: RowOrder,
        bytes: &[u8],
        take: &mut dyn FnMut(Rows) -> Result<(), E>,
    ) -> Result<(), E> {
        let (first_row, row_bytes) = (self.first_row, tensor.row_bytes());
        self.first_row += bytes.len() / row_bytes;
        let column_order = self.prepared.as_ref().and_then(|prepared| prepared.column_order());
        match order {
            _ if bytes.is_empty() => Ok(()),
            RowOrder::Neighbours => take(Rows { tensor, first_row, bytes, laid: None, column_order }),
            RowOrder::Halves { head_dim } => {
                let mut ordered = Vec::with_capacity(bytes.len());
                for head in bytes.chunks(head_dim * row_bytes) {
                    push_neighbours(head, row_bytes, &mut ordered);
                }
                take(Rows { tensor, first_row, bytes: &ordered, laid: None, column_order })
            }
        }
    }
}

/// Appends the rows of a head, `[head_dim, row_bytes]`, with the two of a pair side by side: 0, n / 2, 1, n / 2 + 1, …
fn push_neighbours(head: &[u8], row_bytes: usize, into: &mut Vec<u8>) {
    let (first, second) = head.split_at(head.len() / 2);
    for (a, b) in first.chunks(row_bytes).zip(second.chunks(row_bytes)) {
        into.extend_from_slice(a);
        into.extend_from_slice(b);
    }
}
