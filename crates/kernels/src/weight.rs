//! Weight matrices on the device, in the layout that the shaders read.
//!
//! A row is cut into blocks of 32 columns. Quants lie row by row, whole words at a time; scales lie in tiles of
//! 4 rows, so that whoever computes 4 rows reads 4 scales at once:
//!
//! ```text
//! words  [rows, columns / 32, words of a block]
//! scales [rows / 4, columns / 32, 4 scales]        (Q6 keeps Q6_K's two levels: see weight_q6.wgsl)
//! ```
//!
//! | type | a block's words | scales | bits |
//! |---|---|---|---|
//! | Q4 | 4: nibble i is column i, nibble 16 + i in the high halves | f16 | 4.5 |
//! | Q4M | as Q4 | f16 scale and f16 minimum | 5 |
//! | Q6 | 4 of nibbles as Q4, 2 of top bits | i8 a half block, f16 for 8 blocks | 6.56 |
//! | Q8 | 8 of bytes | f16 | 8.5 |
//! | F16 | 16 of halves | – | 16 |
//! | F32 | 32 | – | 32 |
//!
//! Rows are padded to a multiple of 4 with zeros.

use format::GgmlType;
use gpu::{Allocator, Constant, Gpu, GpuError, Tensor};

use crate::repack::repack_rows;

/// Columns of a block.
pub(crate) const BLOCK: usize = 32;

/// Rows of a tile.
pub(crate) const TILE: usize = 4;

/// Rows that are repacked at once: enough to keep the queue's overhead small, little enough to need no memory.
const ROWS_AT_ONCE: usize = 64;

/// How a weight matrix is stored on the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WeightType {
    /// 4 bits, a scale for 32.
    Q4,
    /// 4 bits, a scale and a minimum for 32.
    Q4M,
    /// 6 bits, a scale for 16.
    Q6,
    /// 8 bits, a scale for 32.
    Q8,
    /// Halves.
    F16,
    /// Floats.
    F32,
}

/// A weight matrix `[rows, columns]`, or a shard of its rows.
#[derive(Debug)]
pub struct Weight {
    dtype: WeightType,
    rows: usize,
    columns: usize,
    pub(crate) words: Tensor,
    pub(crate) scales: Tensor,
}

impl WeightType {
    /// Every type, for those who must try them all.
    pub const ALL: [WeightType; 6] =
        [WeightType::Q4, WeightType::Q4M, WeightType::Q6, WeightType::Q8, WeightType::F16, WeightType::F32];

    /// The type that holds a GGUF type without loss, if there is one.
    pub fn holding(source: GgmlType) -> Option<WeightType> {
        Some(match source {
            GgmlType::Q4_0 => WeightType::Q4,
            GgmlType::Q4_1 => WeightType::Q4M,
            GgmlType::Q6_K => WeightType::Q6,
            GgmlType::Q8_0 => WeightType::Q8,
            GgmlType::F16 => WeightType::F16,
            GgmlType::F32 => WeightType::F32,
            _ => return None,
        })
    }

    /// The GGUF type whose bytes [`Weight::write_rows`] takes.
    pub(crate) fn source(self) -> GgmlType {
        match self {
            WeightType::Q4 => GgmlType::Q4_0,
            WeightType::Q4M => GgmlType::Q4_1,
            WeightType::Q6 => GgmlType::Q6_K,
            WeightType::Q8 => GgmlType::Q8_0,
            WeightType::F16 => GgmlType::F16,
            WeightType::F32 => GgmlType::F32,
        }
    }

    /// Words of quants in a row of `columns`.
    pub(crate) fn row_words(self, columns: usize) -> usize {
        let words = match self {
            WeightType::Q4 | WeightType::Q4M => 4,
            WeightType::Q6 => 6,
            WeightType::Q8 => 8,
            WeightType::F16 => 16,
            WeightType::F32 => 32,
        };
        columns / BLOCK * words
    }

    /// Words of scales in a tile of 4 rows of `columns`.
    pub(crate) fn tile_scale_words(self, columns: usize) -> usize {
        match self {
            WeightType::Q4 | WeightType::Q8 => columns / BLOCK * 2,
            WeightType::Q4M => columns / BLOCK * 4,
            WeightType::Q6 => columns / 256 * 18,
            WeightType::F16 | WeightType::F32 => 0,
        }
    }

    /// The shader piece that unpacks this type.
    pub(crate) fn wgsl(self) -> &'static str {
        match self {
            WeightType::Q4 => include_str!("weight_q4.wgsl"),
            WeightType::Q4M => include_str!("weight_q4m.wgsl"),
            WeightType::Q6 => include_str!("weight_q6.wgsl"),
            WeightType::Q8 => include_str!("weight_q8.wgsl"),
            WeightType::F16 => include_str!("weight_f16.wgsl"),
            WeightType::F32 => include_str!("weight_f32.wgsl"),
        }
    }

    /// Rows that fit one binding of `limit` bytes, a multiple of 4.
    pub fn rows_in(self, limit: u64, columns: usize) -> usize {
        let rows = limit / (self.row_words(columns) as u64 * 4);
        // More rows than a usize holds cannot come up: the quotient is then cut by the matrix itself.
        usize::try_from(rows).unwrap_or(usize::MAX) / TILE * TILE
    }
}

impl Weight {
    /// Zeroed room for a matrix. `columns` is a multiple of 32; of 256 for `Q6`.
    pub fn new(
        make: &Allocator,
        label: &str,
        dtype: WeightType,
        [rows, columns]: [usize; 2],
    ) -> Result<Weight, GpuError> {
        assert_eq!(columns % dtype.source().block_len(), 0, "{label}: columns");
        assert_eq!(columns % BLOCK, 0, "{label}: columns");
        let tiles = rows.div_ceil(TILE);
        let words = make.tensor(label, [tiles * TILE, dtype.row_words(columns)])?;
        let scales = make.tensor(label, [tiles, dtype.tile_scale_words(columns)])?;
        Ok(Weight { dtype, rows, columns, words, scales })
    }

    /// `[rows, columns]`
    pub fn shape(&self) -> [usize; 2] {
        [self.rows, self.columns]
    }

    /// How it is stored.
    pub fn dtype(&self) -> WeightType {
        self.dtype
    }

    /// Bytes on the device.
    pub fn bytes(&self) -> u64 {
        self.words.bytes() + self.scales.bytes()
    }

    /// Puts whole rows in place, from `first_row` on. `bytes` are as the GGUF type has them.
    /// `first_row` is a multiple of 4, and so is the number of rows unless they end the matrix.
    pub fn write_rows(&self, gpu: &Gpu, first_row: usize, bytes: &[u8]) {
        let source = self.dtype.source();
        let row_bytes = self.columns / source.block_len() * source.block_bytes();
        assert_eq!(first_row % TILE, 0, "{}: first row {first_row}", self.words.label());
        assert_eq!(bytes.len() % row_bytes, 0, "{}: part of a row", self.words.label());
        let mut row = first_row;
        for rows in bytes.chunks(ROWS_AT_ONCE * row_bytes) {
            let (words, scales) = repack_rows(self.dtype, self.columns, rows);
            gpu.write(&self.words, row * self.dtype.row_words(self.columns), &words);
            gpu.write(&self.scales, row / TILE * self.dtype.tile_scale_words(self.columns), &scales);
            row += ROWS_AT_ONCE;
        }
    }

    /// The sizes that every product needs to know.
    pub(crate) fn constants(&self) -> [Constant; 3] {
        [
            Constant::U32("ROWS", self.rows as u32),
            Constant::U32("TILES", self.rows.div_ceil(TILE) as u32),
            Constant::U32("BLOCKS", (self.columns / BLOCK) as u32),
        ]
    }
}
