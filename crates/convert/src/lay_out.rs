//! Rows of the source in the layout of the folder, quantized if they are to be, on every core.

use format::layout::{TILE, repack_rows};
use format::{FormatError, Rows, dequantize, quantize_best};
use rayon::prelude::*;

use crate::ConvertError;
use crate::plan::Target;

/// Rows that one core takes at once, a multiple of 4.
const ROWS_AT_ONCE: usize = 16;

/// Rows of a tensor in words and scales, little-endian, and what quantizing them has lost.
#[derive(Debug, Default)]
pub(crate) struct Laid {
    pub(crate) words: Vec<u8>,
    pub(crate) scales: Vec<u8>,
    pub(crate) lost: Lost,
}

/// Sums over weights: how far they moved, and how large they are.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Lost {
    pub(crate) squared_error: f64,
    pub(crate) squared: f64,
}

impl std::ops::AddAssign for Lost {
    fn add_assign(&mut self, other: Lost) {
        self.squared_error += other.squared_error;
        self.squared += other.squared;
    }
}

/// Lays out the rows `from..to` of those that came, counted from the first of them; `from` begins a tile.
pub(crate) fn lay_out(target: &Target, rows: &Rows, [from, to]: [usize; 2]) -> Result<Laid, ConvertError> {
    let starts: Vec<usize> = (from..to).step_by(ROWS_AT_ONCE).collect();
    let parts = starts.par_iter().map(|start| some(target, rows, [*start, to.min(start + ROWS_AT_ONCE)]));
    let parts: Vec<Laid> = parts.collect::<Result<_, FormatError>>().map_err(|why| ConvertError::Tensor {
        tensor: target.name.clone(),
        to: target.blocks.to_string(),
        why: why.into(),
    })?;
    let words = parts.iter().map(|part| part.words.as_slice()).collect::<Vec<_>>().concat();
    let scales = parts.iter().map(|part| part.scales.as_slice()).collect::<Vec<_>>().concat();
    let mut lost = Lost::default();
    parts.iter().for_each(|part| lost += part.lost);
    Ok(Laid { words, scales, lost })
}

fn some(target: &Target, rows: &Rows, [from, to]: [usize; 2]) -> Result<Laid, FormatError> {
    let (info, columns) = (target.info, target.info.columns);
    if info.rows == 1 {
        let mut values = Vec::new();
        rows.append_values(from..to, &mut values)?;
        return Ok(Laid { words: bytes_of(values.iter().map(|value| value.to_bits())), ..Laid::default() });
    }
    let is_kept = info.dtype == target.blocks && rows.column_order.is_none();
    if let (Some(laid), true) = (rows.laid, is_kept) {
        let (row_words, tile_words) = (laid.dtype.row_words(columns), laid.dtype.tile_scale_words(columns));
        let words = laid.words.get(from * row_words..to * row_words).unwrap_or_default();
        let tiles = from / TILE * tile_words..to.div_ceil(TILE) * tile_words;
        let scales = laid.scales.get(tiles).unwrap_or_default();
        let [words, scales] = [words, scales].map(|words| bytes_of(words.iter().copied()));
        return Ok(Laid { words, scales, lost: Lost::default() });
    }
    let mut lost = Lost::default();
    let (words, scales) = if is_kept {
        repack_rows(target.blocks, columns, rows.blocks(from..to))?
    } else {
        let (mut values, mut blocks) = (Vec::with_capacity((to - from) * columns), Vec::new());
        rows.append_values(from..to, &mut values)?;
        quantize_best(target.blocks, &values, &mut blocks)?;
        let mut rendered = Vec::with_capacity(values.len());
        dequantize(target.blocks, &blocks, &mut rendered)?;
        for (value, rendered) in values.iter().zip(&rendered) {
            let error = f64::from(*value) - f64::from(*rendered);
            lost.squared_error += error * error;
            lost.squared += f64::from(*value) * f64::from(*value);
        }
        repack_rows(target.blocks, columns, &blocks)?
    };
    let [words, scales] = [words, scales].map(|words| bytes_of(words.into_iter()));
    Ok(Laid { words, scales, lost })
}

fn bytes_of(words: impl Iterator<Item = u32>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(4 * words.size_hint().0);
    words.for_each(|word| bytes.extend_from_slice(&word.to_le_bytes()));
    bytes
}
