//! Packed tensors: parts that are needed whole first, then chunks of rows.

use super::{RowReader, Rows, chunk_rows};
use crate::packed::{Extent, Packed, Parts};
use crate::{FormatError, Span, TensorInfo};

impl RowReader<'_> {
    pub(super) fn wanted_of_packed(&self, tensor: &TensorInfo, packed: &Packed) -> Span {
        let asked = packed.asked_for(tensor);
        // There is always one more: with the last, the tensor or the chunk is complete.
        let (part, extent) = asked.get(self.came).copied().unwrap_or((0, Extent::Whole));
        let span = packed.parts.get(part).copied().unwrap_or(Span { file: 0, offset: 0, len: 0 });
        match extent {
            Extent::Whole => span,
            Extent::Row(bytes) => {
                let rows = chunk_rows(packed.order, tensor.row_bytes()).min(tensor.rows - self.first_row);
                let [before, len] = [self.first_row, rows].map(|rows| rows as u64 * bytes as u64);
                Span { offset: span.offset + before, len, ..span }
            }
        }
    }

    pub(super) fn complete_packed<E: From<FormatError>>(
        &mut self,
        tensor: &TensorInfo,
        packed: &Packed,
        take: &mut dyn FnMut(Rows) -> Result<(), E>,
    ) -> Result<(), E> {
        let asked = packed.asked_for(tensor);
        self.parts.resize(asked.len(), Vec::new());
        if let Some((part, _)) = asked.get(self.came)
            && let Some(kept) = self.parts.get_mut(*part)
        {
            *kept = std::mem::take(&mut self.pending);
        }
        self.came += 1;
        if self.came < asked.len() {
            return Ok(());
        }
        let whole = asked.iter().filter(|(_, extent)| *extent == Extent::Whole).count();
        // Only with parts that are taken by rows is there more to come after this chunk.
        self.unpack_chunk(tensor, packed, take)?;
        while whole == asked.len() && self.first_row < tensor.rows {
            self.unpack_chunk(tensor, packed, take)?;
        }
        self.came = whole;
        Ok(())
    }

    fn unpack_chunk<E: From<FormatError>>(
        &mut self,
        tensor: &TensorInfo,
        packed: &Packed,
        take: &mut dyn FnMut(Rows) -> Result<(), E>,
    ) -> Result<(), E> {
        let parts = Parts { tensor, bytes: &self.parts, first_row: self.first_row };
        let prepared = match self.prepared.take() {
            Some(prepared) => prepared,
            None => packed.packing.prepare(&parts)?,
        };
        let rows = chunk_rows(packed.order, tensor.row_bytes()).min(tensor.rows - self.first_row);
        let mut blocks = Vec::with_capacity(rows * tensor.row_bytes());
        let rows = self.first_row..self.first_row + rows;
        for first in rows.clone().step_by(UNPACKED_TOGETHER) {
            let some = first..rows.end.min(first + UNPACKED_TOGETHER);
            packed.packing.unpack(&parts, &prepared, some, &mut blocks)?;
        }
        self.prepared = Some(prepared);
        self.give(tensor, packed.order, &blocks, take)
    }
}

/// Rows whose weights, a byte each, stay in a cache while they are put together.
const UNPACKED_TOGETHER: usize = 32;
