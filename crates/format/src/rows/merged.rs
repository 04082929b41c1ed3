//! Tensors that were split over several files, by rows or by columns, and are put together again.

use super::{RowReader, Rows, chunk_rows};
use crate::checkpoint::{Along, Merged};
use crate::{FormatError, RowOrder, Span, TensorInfo};

impl RowReader<'_> {
    pub(super) fn wanted_of_merged(&self, tensor: &TensorInfo, merged: &Merged) -> Span {
        let span = merged.parts.get(self.came).copied().unwrap_or(Span { file: 0, offset: 0, len: 0 });
        match merged.along {
            Along::Rows => span,
            Along::Columns => {
                let parts = merged.parts.len().max(1);
                let bytes = (tensor.row_bytes() / parts) as u64;
                let rows =
                    chunk_rows(RowOrder::Neighbours, tensor.row_bytes()).min(tensor.rows - self.first_row);
                Span { offset: span.offset + self.first_row as u64 * bytes, len: rows as u64 * bytes, ..span }
            }
        }
    }

    pub(super) fn complete_merged<E: From<FormatError>>(
        &mut self,
        tensor: &TensorInfo,
        merged: &Merged,
        take: &mut dyn FnMut(Rows) -> Result<(), E>,
    ) -> Result<(), E> {
        self.came += 1;
        if merged.along == Along::Rows {
            return Ok(());
        }
        self.parts.push(std::mem::take(&mut self.pending));
        if self.came < merged.parts.len() {
            return Ok(());
        }
        let bytes = tensor.row_bytes() / merged.parts.len().max(1);
        let parts = std::mem::take(&mut self.parts);
        let rows = parts.first().map_or(0, |part| part.len() / bytes.max(1));
        let mut joined = Vec::with_capacity(rows * tensor.row_bytes());
        for row in 0..rows {
            for part in &parts {
                joined.extend_from_slice(part.get(row * bytes..(row + 1) * bytes).unwrap_or_default());
            }
        }
        self.came = 0;
        self.give(tensor, RowOrder::Neighbours, &joined, take)
    }
}
