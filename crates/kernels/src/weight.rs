//! Weight matrices on the device, in the layout of [`format::layout`].

use std::ops::Range;

use format::layout::{BLOCK, Quants, Scales, TILE, repack_rows};
use format::{GgmlType, LaidRows};
use gpu::{Allocator, Constant, Gpu, GpuError, Tensor};

pub use format::layout::WeightType;

/// Rows that are repacked at once: enough to keep the queue's overhead small, little enough to need no memory.
const ROWS_AT_ONCE: usize = 64;

/// A weight matrix `[rows, columns]`, or a shard of its rows.
#[derive(Debug)]
pub struct Weight {
    dtype: WeightType,
    rows: usize,
    columns: usize,
    pub(crate) words: Tensor,
    pub(crate) scales: Tensor,
}

impl Weight {
    /// Zeroed room for a matrix. `columns` is a multiple of what the type asks for.
    pub fn new(
        make: &Allocator,
        label: &str,
        dtype: WeightType,
        [rows, columns]: [usize; 2],
    ) -> Result<Weight, GpuError> {
        assert_eq!(columns % dtype.columns_multiple(), 0, "{label}: columns");
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

    /// Whether it is whole numbers and scales: what the kernels of bytes take.
    pub fn has_quants(&self) -> bool {
        self.dtype.scales() != Scales::None
    }

    /// Bytes on the device.
    pub fn bytes(&self) -> u64 {
        self.words.bytes() + self.scales.bytes()
    }

    /// Puts whole rows in place, from `first_row` on. `bytes` are blocks of `source`, a type that this one holds.
    /// `first_row` is a multiple of 4, and so is the number of rows unless they end the matrix.
    pub fn write_rows(&self, gpu: &Gpu, first_row: usize, source: GgmlType, bytes: &[u8]) {
        assert_eq!(WeightType::holding(source), Some(self.dtype), "{}: type", self.words.label());
        assert_eq!(first_row % TILE, 0, "{}: first row {first_row}", self.words.label());
        let row_bytes = self.columns / source.block_len() * source.block_bytes();
        let mut row = first_row;
        for rows in bytes.chunks(ROWS_AT_ONCE * row_bytes) {
            // Fails on part of a row only, which would be a mistake of ours and shows as zeros in the tests.
            let Ok((words, scales)) = repack_rows(source, self.columns, rows) else { return };
            gpu.write(&self.words, row * self.dtype.row_words(self.columns), &words);
            gpu.write(&self.scales, row / TILE * self.dtype.tile_scale_words(self.columns), &scales);
            row += ROWS_AT_ONCE;
        }
    }

    /// Puts whole rows in place that are laid out as this matrix is, from `first_row` on, a multiple of 4. Their number
    /// is one, too, unless they end the matrix.
    pub fn write_laid(&self, gpu: &Gpu, first_row: usize, rows: LaidRows) {
        let LaidRows { dtype, words, scales } = rows;
        assert_eq!(dtype, self.dtype, "{}: type", self.words.label());
        assert_eq!(first_row % TILE, 0, "{}: first row {first_row}", self.words.label());
        gpu.write(&self.words, first_row * dtype.row_words(self.columns), words);
        gpu.write(&self.scales, first_row / TILE * dtype.tile_scale_words(self.columns), scales);
    }

    /// The shader pieces that unpack it.
    pub(crate) fn wgsl(&self) -> Vec<&'static str> {
        let mut pieces = match self.dtype.quants() {
            Quants::Q4 => vec![include_str!("quants_q4.wgsl")],
            Quants::Q6 => vec![include_str!("quants_q6.wgsl")],
            Quants::Q8 => vec![include_str!("quants_q8.wgsl")],
            Quants::F16 => vec![include_str!("halves_f16.wgsl"), include_str!("quants_f16.wgsl")],
            Quants::BF16 => vec![include_str!("halves_bf16.wgsl"), include_str!("quants_f16.wgsl")],
            Quants::F32 => vec![include_str!("quants_f32.wgsl")],
        };
        pieces.push(match self.dtype.scales() {
            Scales::None => include_str!("scales_none.wgsl"),
            Scales::One { .. } => include_str!("scales_one.wgsl"),
            Scales::Minimum | Scales::Zero => include_str!("scales_pair.wgsl"),
            Scales::Two { .. } => include_str!("scales_two.wgsl"),
            Scales::TwoMinimum { .. } => include_str!("scales_two_minimum.wgsl"),
        });
        pieces.push(include_str!("tile.wgsl"));
        pieces
    }

    /// What every kernel needs to know: sizes, and how scales are meant.
    pub(crate) fn constants(&self) -> Vec<Constant> {
        let mut constants = vec![
            Constant::U32("ROWS", self.rows as u32),
            Constant::U32("BLOCKS", (self.columns / BLOCK) as u32),
        ];
        let offset = |offset: u8| Constant::F32("OFFSET", offset.into());
        let parts = |parts: usize| Constant::U32("PARTS", parts as u32);
        match self.dtype.scales() {
            Scales::None => {}
            Scales::One { offset: zero } => constants.push(offset(zero)),
            Scales::Minimum => constants.push(Constant::U32("SECOND_IS_ZERO", 0)),
            Scales::Zero => constants.push(Constant::U32("SECOND_IS_ZERO", 1)),
            Scales::Two { offset: zero, parts: count } => constants.extend([offset(zero), parts(count)]),
            Scales::TwoMinimum { parts: count } => constants.push(parts(count)),
        }
        constants
    }

    /// Which tiles have these rows, for the products. Panics unless they are whole tiles: a mistake of ours.
    pub(crate) fn tiles(&self, rows: &Range<usize>) -> [Constant; 2] {
        assert!(rows.start < rows.end && rows.end <= self.rows, "{}: rows {rows:?}", self.words.label());
        assert_eq!(rows.start % TILE, 0, "{}: rows {rows:?}", self.words.label());
        assert!(
            rows.end.is_multiple_of(TILE) || rows.end == self.rows,
            "{}: rows {rows:?}",
            self.words.label()
        );
        let (first, end) = (rows.start / TILE, rows.end.div_ceil(TILE));
        [Constant::U32("FIRST_TILE", first as u32), Constant::U32("END_TILE", end as u32)]
    }
}
