//! Rows as numbers, whatever they are stored as.

use std::ops::Range;

use super::Rows;
use crate::layout::{TILE, unpack_rows};
use crate::{FormatError, dequantize};

impl Rows<'_> {
    /// How many rows these are.
    pub fn count(&self) -> usize {
        match self.laid {
            Some(laid) => laid.words.len() / laid.dtype.row_words(self.tensor.columns).max(1),
            None => self.bytes.len() / self.tensor.row_bytes().max(1),
        }
    }

    /// Appends the values of some of these rows, `[rows, columns]`, each in the column of its input feature.
    /// Rows are counted from the first of these; those of a range that begins with a multiple of 4.
    ///
    /// # Errors
    /// If the tensor's type is one that can't be read.
    pub fn append_values(&self, rows: Range<usize>, into: &mut Vec<f32>) -> Result<(), FormatError> {
        let columns = self.tensor.columns;
        if let Some(laid) = self.laid {
            let (row_words, tile_words) =
                (laid.dtype.row_words(columns), laid.dtype.tile_scale_words(columns));
            let words = laid.words.get(rows.start * row_words..rows.end * row_words).unwrap_or_default();
            let scales = laid.scales.get(rows.start / TILE * tile_words..).unwrap_or_default();
            into.extend(unpack_rows(laid.dtype, columns, words, scales));
            return Ok(());
        }
        let before = into.len();
        dequantize(self.tensor.dtype, self.blocks(rows), into)?;
        if let (Some(order), Some(values)) = (self.column_order, into.get_mut(before..)) {
            put_in_place(order, values);
        }
        Ok(())
    }

    /// The blocks of some of these rows, counted from the first of them; none where they are laid out.
    pub fn blocks(&self, rows: Range<usize>) -> &[u8] {
        let row_bytes = self.tensor.row_bytes();
        self.bytes.get(rows.start * row_bytes..rows.end * row_bytes).unwrap_or_default()
    }
}

/// Moves each value of `[rows, columns]` to the column that `order`, `[columns]`, says.
pub fn put_in_place(order: &[u32], values: &mut [f32]) {
    let mut in_place = vec![0.0; order.len()];
    for row in values.chunks_exact_mut(order.len().max(1)) {
        for (value, column) in row.iter().zip(order) {
            if let Some(place) = in_place.get_mut(*column as usize) {
                *place = *value;
            }
        }
        row.copy_from_slice(&in_place);
    }
}
