//! `out = X Wᵀ`.
//!
//! A tile of 4 rows is multiplied with a group of tokens at a time: its weights are taken apart once for all of them,
//! and stay in the cache for the groups that follow. Within a part that shares a scale everything is whole numbers.

use wide::{f32x4, i16x8, u16x8};

use super::activations::{Activations, PART, groups};
use super::matrix::{Floats, Matrix, Quantized, Values, Width};
use super::threads::share_out;
use format::layout::{BLOCK, TILE};

/// What rows of a tile are multiplied to, for each token: `[tokens][4]`.
type Lanes = [f32; TILE];

impl Matrix {
    /// `[tokens, rows]` for `x`, `[tokens, columns]`.
    pub(super) fn product(&self, x: &Activations) -> Vec<f32> {
        match &self.order {
            None => self.product_in_order(x),
            Some(order) => {
                let gather = |token: &[f32]| {
                    let column = |column: &u32| token.get(*column as usize).copied().unwrap_or(0.0);
                    order.iter().map(column).collect::<Vec<f32>>()
                };
                let gathered: Vec<f32> = x.values.chunks_exact(x.columns).flat_map(gather).collect();
                self.product_in_order(&Activations::new(&gathered, x.columns))
            }
        }
    }

    fn product_in_order(&self, x: &Activations) -> Vec<f32> {
        let tokens = x.tokens();
        let tiles = self.rows.div_ceil(TILE);
        let mut out = vec![[0.0; TILE]; tiles * tokens]; // [rows / 4, tokens, 4]
        share_out(&mut out, tokens, tokens * self.columns * TILE, |tile, out| match &self.values {
            Values::Quantized(quantized) => quantized.product(tile, x, out),
            Values::Floats(floats) => floats.product(tile, self.rows, x, out),
        });
        let mut by_token = vec![0.0; tokens * self.rows];
        for (token, rows) in by_token.chunks_exact_mut(self.rows).enumerate() {
            let mut tiles = out.iter().skip(token).step_by(tokens);
            let (whole, rest) = rows.as_chunks_mut();
            whole.iter_mut().zip(&mut tiles).for_each(|(rows, tile)| *rows = *tile);
            rest.iter_mut().zip(tiles.flatten()).for_each(|(row, value)| *row = *value);
        }
        by_token
    }
}

impl Quantized {
    /// `out`, `[tokens][4]`, of the 4 rows of a tile.
    fn product(&self, tile: usize, x: &Activations, out: &mut [Lanes]) {
        match (self.width, self.part) {
            (Width::Nibbles { .. }, PART) => self.groups::<1, 2>(tile, x, out),
            (Width::Nibbles { .. }, _) => self.groups::<1, 1>(tile, x, out),
            (Width::Bytes, PART) => self.groups::<2, 2>(tile, x, out),
            (Width::Bytes, _) => self.groups::<2, 1>(tile, x, out),
        }
    }

    fn groups<const CHUNKS: usize, const PARTS: usize>(
        &self,
        tile: usize,
        x: &Activations,
        out: &mut [Lanes],
    ) {
        for group in groups(out.len()) {
            match group.tokens {
                8 => self.group::<CHUNKS, PARTS, 8>(tile, x, group.first, out),
                4 => self.group::<CHUNKS, PARTS, 4>(tile, x, group.first, out),
                2 => self.group::<CHUNKS, PARTS, 2>(tile, x, group.first, out),
                _ => self.group::<CHUNKS, PARTS, 1>(tile, x, group.first, out),
            }
        }
    }

    /// `CHUNKS` vectors hold the weights of a block, which has `PARTS` scales; `TOKENS` from `first` on are a group.
    fn group<const CHUNKS: usize, const PARTS: usize, const TOKENS: usize>(
        &self,
        tile: usize,
        x: &Activations,
        first: usize,
        out: &mut [Lanes],
    ) {
        let blocks = x.columns / BLOCK;
        let (quants, _) = x.quants[first * blocks * 2..].as_chunks::<TOKENS>();
        let (chunks, _) = self.chunks[tile * blocks * TILE * CHUNKS..].as_chunks::<CHUNKS>();
        let numbers = tile * blocks * PARTS..(tile + 1) * blocks * PARTS;
        let scales = &self.scales[numbers.clone()];
        let tile = Tile {
            chunks: &chunks.as_chunks::<TILE>().0[..blocks],
            scales: scales.as_chunks::<PARTS>().0,
            quants: quants.as_chunks::<2>().0,
        };
        let rows: [[f32x4; TOKENS]; TILE] = std::array::from_fn(|row| tile.row(row));
        let mut totals: [f32x4; TOKENS] = std::array::from_fn(|token| {
            let lanes = f32x4::transpose([rows[0][token], rows[1][token], rows[2][token], rows[3][token]]);
            (lanes[0] + lanes[1]) + (lanes[2] + lanes[3])
        });
        let sums = if PARTS == 1 { &x.block_sums } else { &x.part_sums };
        let (sums, _) = sums[first * blocks * PARTS..].as_chunks::<TOKENS>();
        match (self.width, self.minimums.get(numbers)) {
            (_, Some(minimums)) if !minimums.is_empty() => add_minimums(&mut totals, minimums, sums, 1.0),
            (Width::Nibbles { offset }, _) => add_minimums(&mut totals, scales, sums, -offset as f32),
            (Width::Bytes, _) => {}
        }
        for ((out, total), scale) in out[first..].iter_mut().zip(totals).zip(&x.scales[first..]) {
            *out = (total * f32x4::splat(*scale)).to_array();
        }
    }
}

/// 4 rows of weights, and what a group of tokens multiplies them with.
struct Tile<'a, const CHUNKS: usize, const PARTS: usize, const TOKENS: usize> {
    chunks: &'a [[[[u8; 16]; CHUNKS]; TILE]], // [columns / 32]
    scales: &'a [[[f32; TILE]; PARTS]],       // [columns / 32]
    quants: &'a [[[[i16; PART]; TOKENS]; 2]], // [columns / 32]
}

impl<const CHUNKS: usize, const PARTS: usize, const TOKENS: usize> Tile<'_, CHUNKS, PARTS, TOKENS> {
    /// Four sums, to be added, for each token of one row: `scale * quant * x`.
    #[inline(always)]
    fn row(&self, row: usize) -> [f32x4; TOKENS] {
        let mut totals = [f32x4::ZERO; TOKENS];
        for ((chunks, scales), quants) in self.chunks.iter().zip(self.scales).zip(self.quants) {
            let [a, b, c, d] = columns(&chunks[row]);
            let scales = scales.each_ref().map(|scales| f32x4::splat(scales[row]));
            for (token, total) in totals.iter_mut().enumerate() {
                let [first, second] =
                    [0, 1].map(|half| bytemuck::cast::<[i16; PART], [i16x8; 2]>(quants[half][token]));
                let first = a.dot(first[0]) + b.dot(first[1]);
                let second = c.dot(second[0]) + d.dot(second[1]);
                match scales.as_slice() {
                    [scale, other] => {
                        *total += first.round_float() * *scale + second.round_float() * *other;
                    }
                    _ => *total += (first + second).round_float() * scales[0],
                }
            }
        }
        totals
    }
}

/// Adds `factor * minimum * sum`: for each part of the columns, the minimums of 4 rows and the sums of a group of tokens.
#[inline(always)]
fn add_minimums<const TOKENS: usize>(
    totals: &mut [f32x4; TOKENS],
    minimums: &[[f32; TILE]],
    sums: &[[f32; TOKENS]],
    factor: f32,
) {
    // Kept apart, so that they stay in registers.
    let mut added = [f32x4::ZERO; TOKENS];
    for (minimum, sums) in minimums.iter().zip(sums) {
        let minimum = f32x4::from(*minimum);
        for (added, sum) in added.iter_mut().zip(sums) {
            *added += minimum * f32x4::splat(*sum);
        }
    }
    for (total, added) in totals.iter_mut().zip(added) {
        *total += added * f32x4::splat(factor);
    }
}

/// 32 weights in the order of their columns.
#[inline(always)]
fn columns<const CHUNKS: usize>(chunks: &[[u8; 16]; CHUNKS]) -> [i16x8; 4] {
    match chunks.as_slice() {
        [first, second] => {
            let [first, second]: [i16x8; 2] = [*first, *second].map(bytemuck::cast);
            [first << 8u32 >> 8u32, first >> 8u32, second << 8u32 >> 8u32, second >> 8u32]
        }
        _ => {
            let words: u16x8 = bytemuck::cast(chunks[0]);
            let low = u16x8::splat(15);
            [words & low, words >> 4u32 & low, words >> 8u32 & low, words >> 12u32].map(bytemuck::cast)
        }
    }
}

impl Floats {
    /// `out`, `[tokens][4]`, of the rows of a tile; the last may have fewer than 4.
    fn product(&self, tile: usize, rows: usize, x: &Activations, out: &mut [Lanes]) {
        let mut weights = Vec::with_capacity(x.columns);
        for (lane, row) in (tile * TILE..rows.min((tile + 1) * TILE)).enumerate() {
            self.read(row, x.columns, &mut weights);
            for (out, token) in out.iter_mut().zip(x.values.chunks_exact(x.columns)) {
                out[lane] = dot(&weights, token);
            }
        }
    }
}

/// `Σ a b`, in sixteen sums side by side.
pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<16>(), b.as_chunks::<16>());
    let mut sums = [f32x4::ZERO; 4];
    for (a, b) in a.iter().zip(b) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.as_chunks::<4>().0.iter().zip(b.as_chunks::<4>().0)) {
            *sum += f32x4::from(*a) * f32x4::from(*b);
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    let [a, b, c, d] = sums;
    ((a + b) + (c + d)).reduce_add() + rest
}

#[cfg(test)]
mod tests {
    use format::layout::WeightType;
    use format::{GgmlType, RowOrder, Rows, Span, Stored, TensorInfo, TensorName, dequantize, quantize};

    use super::*;

    /// Numbers around zero that are no multiples of anything.
    fn numbers(seed: usize, count: usize) -> Vec<f32> {
        (0..count).map(|i| ((i + seed) * 7_919 % 1_009) as f32 / 504.5 - 1.0).collect()
    }

    /// Blocks of a type: quantized where we can, else of bytes whose every half is a finite number.
    fn blocks(dtype: GgmlType, weights: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        if quantize(dtype, &numbers(1, weights), &mut bytes).is_err() {
            let count = weights / dtype.block_len() * dtype.block_bytes();
            bytes = (0..count).map(|i| (i * 37 % 0x60) as u8).collect();
            if dtype == GgmlType::MXFP4 {
                // Its scale is the exponent of a power of two, of which a half has the middle ones.
                bytes.chunks_exact_mut(dtype.block_bytes()).for_each(|block| block[0] = 120);
            }
        }
        bytes
    }

    /// In two writes, of which the first ends with a tile.
    fn matrix(dtype: GgmlType, rows: usize, columns: usize, bytes: &[u8]) -> Matrix {
        let span = Span { file: 0, offset: 0, len: bytes.len() as u64 };
        let stored = Stored::Rows { span, order: RowOrder::Neighbours };
        let tensor = &TensorInfo { name: TensorName::LmHead, dtype, rows, columns, stored };
        let mut matrix = Matrix::new(tensor, WeightType::holding(dtype).unwrap()).unwrap();
        let first = 4 * (bytes.len() / rows);
        let (before, after) = bytes.split_at(first.min(bytes.len()));
        for (first_row, bytes) in [(0, before), (4, after)] {
            let rows = Rows { tensor, first_row, bytes, laid: None, column_order: None };
            matrix.write(rows).unwrap();
        }
        matrix
    }

    #[track_caller]
    fn check(dtype: GgmlType, rows: usize, columns: usize, tokens: usize) {
        let bytes = blocks(dtype, rows * columns);
        let mut weights = Vec::new();
        dequantize(dtype, &bytes, &mut weights).unwrap();
        let matrix = matrix(dtype, rows, columns, &bytes);
        for (row, expected) in weights.chunks_exact(columns).enumerate() {
            for (column, (got, expected)) in matrix.row(row).iter().zip(expected).enumerate() {
                // A scale of two levels, and a minimum, are rounded before they are used.
                let bound = 1e-6 * weights.iter().fold(0f32, |most, weight| most.max(weight.abs()));
                let at = format!("{dtype} {rows} x {columns}: weight [{row}, {column}]");
                assert!((got - expected).abs() <= bound, "{at}: got {got}, expected {expected}");
            }
        }

        let x = numbers(500, tokens * columns);
        let got = matrix.product(&Activations::new(&x, columns));
        assert_eq!(got.len(), tokens * rows);
        for (token, x) in x.chunks_exact(columns).enumerate() {
            let half_a_quant = x.iter().fold(0f32, |most, x| most.max(x.abs())) / 32_767.0 / 2.0;
            for (row, weights) in weights.chunks_exact(columns).enumerate() {
                let expected: f64 = weights.iter().zip(x).map(|(w, x)| f64::from(*w) * f64::from(*x)).sum();
                let sizes: f32 = weights.iter().zip(x).map(|(w, x)| (w * x).abs()).sum();
                let rounded = weights.iter().map(|weight| weight.abs()).sum::<f32>() * half_a_quant;
                let bound = f64::from(rounded + 4e-6 * sizes);
                let got = f64::from(got[token * rows + row]);
                let at = format!("{dtype} {rows} x {columns}, {tokens} tokens: [{token}, {row}]");
                assert!(
                    (got - expected).abs() <= bound,
                    "{at}: got {got}, expected {expected}, bound {bound}"
                );
            }
        }
    }

    /// Rows that fill tiles and that don't; tokens that fill groups of every size and that don't.
    #[test]
    fn every_type_in_every_shape() {
        for dtype in GgmlType::SUPPORTED {
            let columns = dtype.block_len().max(32);
            for (rows, blocks, tokens) in [(1, 1, 1), (4, 3, 2), (7, 2, 8), (9, 1, 15), (66, 5, 3)] {
                check(dtype, rows, columns * blocks, tokens);
            }
        }
        // Columns that no block divides are floats'.
        check(GgmlType::F32, 5, 20, 3);
        check(GgmlType::BF16, 3, 7, 1);
    }

    /// `x[order[k]]` is what column `k` is multiplied with, and a row that is looked up is in the activations' order.
    #[test]
    fn columns_have_an_order() {
        let (rows, columns) = (6, 64);
        let bytes = blocks(GgmlType::Q4_1, rows * columns);
        let plain = matrix(GgmlType::Q4_1, rows, columns, &bytes);
        let mut ordered = matrix(GgmlType::Q4_1, rows, columns, &bytes);
        let order: Vec<u32> = (0..columns as u32).map(|k| (k * 5 + 3) % columns as u32).collect();
        ordered.order = Some(order.clone());

        let x = numbers(3, 2 * columns);
        let gathered: Vec<f32> =
            x.chunks(columns).flat_map(|x| order.iter().map(|at| x[*at as usize])).collect();
        let expected = plain.product(&Activations::new(&gathered, columns));
        assert_eq!(ordered.product(&Activations::new(&x, columns)), expected);
        let row = ordered.row(5);
        for (k, weight) in plain.row(5).iter().enumerate() {
            assert_eq!(row[order[k] as usize], *weight, "column {k}");
        }
    }

    #[test]
    fn what_is_no_number_stays_none() {
        let matrix = matrix(GgmlType::Q8_0, 4, 32, &blocks(GgmlType::Q8_0, 4 * 32));
        let mut x = numbers(9, 64);
        x[40] = f32::NAN;
        let got = matrix.product(&Activations::new(&x, 32));
        assert!(got[..4].iter().all(|got| got.is_finite()), "the token before: {got:?}");
        assert!(got[4..].iter().all(|got| got.is_nan()), "{got:?}");
    }
}
