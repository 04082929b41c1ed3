//! Tensors that lie as shaders read them: the scales of a part are kept, its words given as they come.

use super::{LaidRows, RowReader, Rows};
use crate::checkpoint::Laid;
use crate::layout::TILE;
use crate::{Span, TensorInfo};

/// Bytes of words that are given at once: what is copied to make words of bytes stays small.
const GIVEN_BYTES: usize = 1 << 20;

/// Spans of a part: scales and words, or words alone.
fn spans_of_part(tensor: &TensorInfo, laid: &Laid) -> usize {
    if laid.dtype.tile_scale_words(tensor.columns) == 0 { 1 } else { 2 }
}

impl RowReader<'_> {
    pub(super) fn wanted_of_laid(&self, laid: &Laid) -> Span {
        // There is always one more: with the last, the tensor is complete.
        laid.spans.get(self.came).copied().unwrap_or(Span { file: 0, offset: 0, len: 0 })
    }

    /// Takes some more bytes of the scales or the words of a part.
    pub(super) fn take_laid<E>(
        &mut self,
        tensor: &TensorInfo,
        laid: &Laid,
        bytes: &[u8],
        take: &mut dyn FnMut(Rows) -> Result<(), E>,
    ) -> Result<(), E> {
        self.pending.extend_from_slice(bytes);
        let (spans, row_bytes) = (spans_of_part(tensor, laid), 4 * laid.dtype.row_words(tensor.columns));
        if self.came % spans + 1 < spans {
            return Ok(());
        }
        let part = self.came / spans;
        let before: usize = laid.part_rows.iter().take(part).sum();
        let end = before + laid.part_rows.get(part).copied().unwrap_or(0);
        let pending = std::mem::take(&mut self.pending);
        let left = end.saturating_sub(self.first_row).saturating_mul(row_bytes);
        let tile = TILE * row_bytes;
        let whole = if pending.len() == left { left } else { pending.len() / tile * tile };
        let (whole, after) = pending.split_at(whole);
        for words in whole.chunks((GIVEN_BYTES / tile).max(1) * tile) {
            self.give_laid(tensor, laid, before, words, take)?;
        }
        self.pending = after.to_vec();
        Ok(())
    }

    /// Goes on to the next span.
    pub(super) fn complete_laid(&mut self, tensor: &TensorInfo, laid: &Laid) {
        let spans = spans_of_part(tensor, laid);
        if self.came % spans + 1 < spans {
            self.parts = vec![std::mem::take(&mut self.pending)];
        }
        self.came += 1;
    }

    /// Gives rows of the part that begins with row `before`.
    fn give_laid<E>(
        &mut self,
        tensor: &TensorInfo,
        laid: &Laid,
        before: usize,
        words: &[u8],
        take: &mut dyn FnMut(Rows) -> Result<(), E>,
    ) -> Result<(), E> {
        let (dtype, columns) = (laid.dtype, tensor.columns);
        let (first_row, rows) = (self.first_row, words.len() / (4 * dtype.row_words(columns)));
        self.first_row += rows;
        let tile_bytes = 4 * dtype.tile_scale_words(columns);
        let tiles = [(first_row - before) / TILE, (first_row - before + rows).div_ceil(TILE)];
        let [from, to] = tiles.map(|tile| tile * tile_bytes);
        let scales = self.parts.first().and_then(|scales| scales.get(from..to)).unwrap_or_default();
        let [words, scales] = [words, scales].map(words_of);
        let laid = Some(LaidRows { dtype, words: &words, scales: &scales });
        take(Rows { tensor, first_row, bytes: &[], laid, column_order: None })
    }
}

fn words_of(bytes: &[u8]) -> Vec<u32> {
    bytes.as_chunks().0.iter().map(|le| u32::from_le_bytes(*le)).collect()
}
