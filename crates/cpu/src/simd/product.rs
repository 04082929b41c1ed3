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
            for (tile, rows) in rows.chunks_mut(TILE).enumerate() {
                rows.copy_from_slice(&out[tile * tokens + token][..rows.len()]);
            }
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
        let (sums, _) = x.sums[first * blocks * 2..].as_chunks::<TOKENS>();
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
        let sums = sums.chunks_exact(2 / PARTS);
        match (self.width, self.minimums.get(numbers)) {
            (_, Some(minimums)) if !minimums.is_empty() => add_minimums(&mut totals, minimums, 1.0, sums),
            (Width::Nibbles { offset }, _) => add_minimums(&mut totals, scales, -offset as f32, sums),
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
            let scales = scales.map(|scales| f32x4::splat(scales[row]));
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

/// Adds `factor * minimum` of 4 rows times the sum of each part of a token.
fn add_minimums<'a, const TOKENS: usize>(
    totals: &mut [f32x4; TOKENS],
    minimums: &[[f32; TILE]],
    factor: f32,
    sums: impl Iterator<Item = &'a [[i32; TOKENS]]>,
) {
    for (minimum, sums) in minimums.iter().zip(sums) {
        let minimum = f32x4::from(*minimum) * f32x4::splat(factor);
        for (token, total) in totals.iter_mut().enumerate() {
            let sum: i32 = sums.iter().map(|sums| sums[token]).sum();
            *total += minimum * f32x4::splat(sum as f32);
        }
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
