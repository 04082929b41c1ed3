//! A weight matrix as the vector instructions read it.
//!
//! A block of 32 columns is one vector of nibbles or two of bytes, which come apart into lanes of 16 bits by shifts and
//! masks alone, in the order of the columns. The blocks of 4 rows lie side by side, and so do their scales, in `f32`.
//!
//! ```text
//! chunks   [rows / 4, columns / 32, 4 rows, 1 or 2, 16 bytes]
//! nibbles  lane i of 16 bits: columns i, 8 + i, 16 + i and 24 + i, the first in the lowest bits
//! bytes    lane i of chunk j: columns 16 j + i and 16 j + 8 + i, the first in the lower byte
//! scales   [rows / 4, columns / part, 4 rows]    part is 16 or 32
//! ```
//!
//! Types of 5 and 6 bits are held as bytes, and those of floats as they came.

use format::layout::{AffineBlock, BLOCK, Quants, Scales, TILE, WeightType, affine_blocks, affine_rows};
use format::{FormatError, GgmlType, Rows, TensorInfo, dequantize, put_in_place};

use super::activations::PART;

/// `[rows, columns]` = `[output features, input features]`.
#[derive(Debug)]
pub(super) struct Matrix {
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) values: Values,
    /// Which input feature each column belongs to, `[columns]`, if not the one at its own place.
    pub(super) order: Option<Vec<u32>>,
}

#[derive(Debug)]
pub(super) enum Values {
    Quantized(Quantized),
    Floats(Floats),
}

/// `scale * (quant - offset) + minimum`
#[derive(Debug)]
pub(super) struct Quantized {
    pub(super) width: Width,
    pub(super) chunks: Vec<[u8; 16]>,
    /// Columns that share a scale: 16 or 32.
    pub(super) part: usize,
    pub(super) scales: Vec<[f32; 4]>,
    /// As many as scales, or none.
    pub(super) minimums: Vec<[f32; 4]>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Width {
    /// Four bits; `offset` stands for zero.
    Nibbles { offset: i32 },
    /// Eight bits with a sign.
    Bytes,
}

/// Rows of `F32`, `F16` or `BF16`.
#[derive(Debug)]
pub(super) struct Floats {
    pub(super) dtype: GgmlType,
    pub(super) bytes: Vec<u8>,
}

impl Width {
    /// Vectors of 32 columns.
    pub(super) fn chunks(self) -> usize {
        match self {
            Width::Nibbles { .. } => 1,
            Width::Bytes => 2,
        }
    }
}

/// How the weights of a type are held.
struct Held {
    width: Width,
    part: usize,
    has_minimum: bool,
}

impl Held {
    /// None if they are held as they came.
    fn of(dtype: WeightType) -> Option<Held> {
        let scales = dtype.scales();
        let has_parts = matches!(scales, Scales::Two { parts: 2, .. } | Scales::TwoMinimum { parts: 2 });
        let width = match dtype.quants() {
            Quants::Q4 => Width::Nibbles { offset: dtype.offset().into() },
            _ => Width::Bytes,
        };
        (scales != Scales::None).then_some(Held {
            width,
            part: if has_parts { PART } else { BLOCK },
            has_minimum: matches!(scales, Scales::Minimum | Scales::Zero | Scales::TwoMinimum { .. }),
        })
    }
}

/// Bytes of a matrix in memory.
pub(super) fn matrix_bytes(dtype: WeightType, rows: usize, columns: usize) -> u64 {
    let tiles = rows.div_ceil(TILE) as u64;
    match Held::of(dtype) {
        None => rows as u64 * 4 * dtype.row_words(columns) as u64,
        Some(Held { width, part, has_minimum }) => {
            let numbers = columns / part * if has_minimum { 2 } else { 1 };
            tiles * 16 * (columns / BLOCK * TILE * width.chunks() + numbers) as u64
        }
    }
}

impl Matrix {
    /// Zeroed room for a tensor; `None` if there is no memory for it.
    pub(super) fn new(tensor: &TensorInfo, dtype: WeightType) -> Option<Matrix> {
        let (rows, columns) = (tensor.rows, tensor.columns);
        let values = match Held::of(dtype) {
            None => {
                let dtype = dtype.blocks();
                let bytes = rows.checked_mul(columns / dtype.block_len() * dtype.block_bytes())?;
                Values::Floats(Floats { dtype, bytes: zeroed(0, bytes)? })
            }
            Some(Held { width, part, has_minimum }) => {
                let tiles = rows.div_ceil(TILE);
                let scales = tiles.checked_mul(columns / part)?;
                let chunks = (tiles * (columns / BLOCK)).checked_mul(TILE * width.chunks())?;
                Values::Quantized(Quantized {
                    width,
                    chunks: zeroed([0; 16], chunks)?,
                    part,
                    scales: zeroed([0.0; 4], scales)?,
                    minimums: zeroed([0.0; 4], if has_minimum { scales } else { 0 })?,
                })
            }
        };
        Some(Matrix { rows, columns, values, order: None })
    }

    /// Bytes in memory.
    pub(super) fn bytes(&self) -> usize {
        let order = self.order.as_ref().map_or(0, |order| 4 * order.len());
        order
            + match &self.values {
                Values::Floats(floats) => floats.bytes.len(),
                Values::Quantized(it) => 16 * (it.chunks.len() + it.scales.len() + it.minimums.len()),
            }
    }

    /// Puts rows in place.
    ///
    /// # Errors
    /// If the tensor's type is one that can't be read.
    pub(super) fn write(&mut self, rows: Rows) -> Result<(), FormatError> {
        if let Some(order) = rows.column_order {
            self.order.get_or_insert_with(|| order.to_vec());
        }
        match &mut self.values {
            Values::Floats(floats) => {
                let row_bytes = floats.bytes.len() / self.rows.max(1);
                let into = floats.bytes.get_mut(rows.first_row * row_bytes..).unwrap_or_default();
                match rows.laid {
                    Some(laid) => {
                        let words = into.as_chunks_mut::<4>().0.iter_mut().zip(laid.words);
                        words.for_each(|(bytes, word)| *bytes = word.to_le_bytes());
                    }
                    None => into.iter_mut().zip(rows.bytes).for_each(|(into, byte)| *into = *byte),
                }
            }
            Values::Quantized(quantized) => {
                let (first_row, columns) = (rows.first_row, self.columns);
                let mut take = |row: usize, block: usize, affine: &AffineBlock| {
                    quantized.put(columns, first_row + row, block, affine);
                };
                match rows.laid {
                    Some(laid) => affine_blocks(laid.dtype, columns, laid.words, laid.scales, &mut take),
                    None => affine_rows(rows.tensor.dtype, columns, rows.bytes, &mut take)?,
                }
            }
        }
        Ok(())
    }

    /// The values of one row, `[columns]`, each in the column of its input feature.
    pub(super) fn row(&self, row: usize) -> Vec<f32> {
        let mut values = Vec::with_capacity(self.columns);
        match &self.values {
            Values::Floats(floats) => floats.read(row, self.columns, &mut values),
            Values::Quantized(quantized) => {
                values.extend((0..self.columns).map(|column| quantized.value(self.columns, row, column)));
            }
        }
        if let Some(order) = &self.order {
            put_in_place(order, &mut values);
        }
        values
    }
}

impl Floats {
    /// Replaces `values` by those of one row.
    pub(super) fn read(&self, row: usize, columns: usize, values: &mut Vec<f32>) {
        let row_bytes = columns / self.dtype.block_len() * self.dtype.block_bytes();
        let bytes = self.bytes.get(row * row_bytes..(row + 1) * row_bytes).unwrap_or_default();
        values.clear();
        // It fails for bytes that are no whole row and for types that are not read; these are.
        let _ = dequantize(self.dtype, bytes, values);
        values.resize(columns, 0.0);
    }
}

impl Quantized {
    /// Puts a block of a row in place.
    fn put(&mut self, columns: usize, row: usize, block: usize, affine: &AffineBlock) {
        let (tile, lane) = (row / TILE, row % TILE);
        let at = tile * (columns / BLOCK) + block;
        let count = self.width.chunks();
        let chunks = self.chunks.get_mut((at * TILE + lane) * count..).unwrap_or_default();
        match affine.nibbles() {
            Some(nibbles) => {
                chunks.iter_mut().take(count).for_each(|chunk| *chunk = shuffled_nibbles(nibbles))
            }
            None => {
                let quants = affine.quants();
                for (chunk, quants) in chunks.iter_mut().take(count).zip(quants.as_chunks().0) {
                    *chunk = shuffled_bytes(quants);
                }
            }
        }
        let parts = BLOCK / self.part;
        for half in 0..parts {
            let of = |numbers: &mut [[f32; 4]], number: f32| {
                if let Some(lanes) = numbers.get_mut(at * parts + half) {
                    lanes[lane] = number;
                }
            };
            of(&mut self.scales, affine.scales[half]);
            of(&mut self.minimums, affine.minimums[half]);
        }
    }

    fn value(&self, columns: usize, row: usize, column: usize) -> f32 {
        let (tile, lane) = (row / TILE, row % TILE);
        let at = tile * columns + column / BLOCK * BLOCK; // In columns of tiles.
        let within = column % BLOCK;
        let first = (at / BLOCK * TILE + lane) * self.width.chunks();
        let byte =
            |chunk: usize, place: usize| self.chunks.get(first + chunk).map_or(0, |chunk| chunk[place]);
        let quant = match self.width {
            Width::Bytes => byte(within / 16, within % 8 * 2 + within % 16 / 8).cast_signed().into(),
            Width::Nibbles { offset } => {
                let byte = byte(0, within % 8 * 2 + within / 16);
                i32::from(if within % 16 < 8 { byte & 15 } else { byte >> 4 }) - offset
            }
        };
        let part = (at + within) / self.part;
        let of = |numbers: &[[f32; 4]]| numbers.get(part).map_or(0.0, |lanes| lanes[lane]);
        of(&self.scales) * quant as f32 + of(&self.minimums)
    }
}

/// 32 nibbles, column i in the lower half of byte i and column 16 + i in the upper, as the module says.
fn shuffled_nibbles(nibbles: [u8; 16]) -> [u8; 16] {
    let mut chunk = [0; 16];
    let (left, right) = nibbles.split_at(8);
    for ((pair, left), right) in chunk.as_chunks_mut::<2>().0.iter_mut().zip(left).zip(right) {
        *pair = [left & 15 | right << 4, left >> 4 | right & 0xF0];
    }
    chunk
}

/// 16 columns, as the module says.
fn shuffled_bytes(quants: &[i8; 16]) -> [u8; 16] {
    let mut chunk = [0; 16];
    let (left, right) = quants.split_at(8);
    for ((pair, left), right) in chunk.as_chunks_mut::<2>().0.iter_mut().zip(left).zip(right) {
        *pair = [left.cast_unsigned(), right.cast_unsigned()];
    }
    chunk
}

fn zeroed<T: Clone>(zero: T, count: usize) -> Option<Vec<T>> {
    let mut values = Vec::new();
    values.try_reserve_exact(count).ok()?;
    values.resize(count, zero);
    Some(values)
}
