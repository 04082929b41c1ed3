//! `out = X Wᵀ`.
//!
//! A tile of 4 rows is multiplied with a group of tokens at a time: its weights are taken apart once for all of them,
//! and stay in the cache for the groups that follow. Within a part that shares a scale everything is whole numbers.

use wide::{f32x4, i16x8, i32x4, u16x8};

use super::activations::{Activations, PART, groups};
use super::matrix::{Floats, Matrix, Quantized, Values, Width};
use super::threads::share_out;
use format::layout::TILE;

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
        match self.width {
            Width::Nibbles { offset } => self.groups::<1>(tile, x, offset, out),
            Width::Bytes => self.groups::<2>(tile, x, 0, out),
        }
    }

    fn groups<const CHUNKS: usize>(&self, tile: usize, x: &Activations, offset: i32, out: &mut [Lanes]) {
        for group in groups(out.len()) {
            match group.tokens {
                8 => self.group::<CHUNKS, 8>(tile, x, group.first, offset, out),
                4 => self.group::<CHUNKS, 4>(tile, x, group.first, offset, out),
                2 => self.group::<CHUNKS, 2>(tile, x, group.first, offset, out),
                _ => self.group::<CHUNKS, 1>(tile, x, group.first, offset, out),
            }
        }
    }

    /// `CHUNKS` vectors hold the weights of 8 columns; `TOKENS` from `first` on are a group.
    fn group<const CHUNKS: usize, const TOKENS: usize>(
        &self,
        tile: usize,
        x: &Activations,
        first: usize,
        offset: i32,
        out: &mut [Lanes],
    ) {
        let parts = x.columns / self.part;
        let eights = self.part / 8;
        let (chunks, _) = self.chunks[tile * parts * eights * CHUNKS..].as_chunks::<CHUNKS>();
        let (quants, _) = x.quants[first * parts * eights..].as_chunks::<TOKENS>();
        let (sums, _) = x.sums[first * x.columns / PART..].as_chunks::<TOKENS>();
        let scales = &self.scales[tile * parts..][..parts];
        let minimums = self.minimums.get(tile * parts..).unwrap_or_default();
        let of_parts = scales
            .iter()
            .zip(chunks.chunks_exact(eights))
            .zip(quants.chunks_exact(eights))
            .zip(sums.chunks_exact(self.part / PART));

        let mut totals = [f32x4::ZERO; TOKENS];
        for (part, (((scale, chunks), quants), sums)) in of_parts.enumerate() {
            let mut dots = [i32x4::ZERO; TOKENS];
            for (chunks, quants) in chunks.iter().zip(quants) {
                let weights = eight_columns(chunks);
                for (dot, x) in dots.iter_mut().zip(quants) {
                    *dot += weights[0].dot(splat(x[0])) + weights[1].dot(splat(x[1]));
                    *dot += weights[2].dot(splat(x[2])) + weights[3].dot(splat(x[3]));
                }
            }
            let scale = f32x4::from(*scale);
            let sums: [i32; TOKENS] = std::array::from_fn(|token| sums.iter().map(|sums| sums[token]).sum());
            for ((total, dot), sum) in totals.iter_mut().zip(&dots).zip(sums) {
                *total += (*dot - i32x4::splat(offset * sum)).round_float() * scale;
            }
            if let Some(minimum) = minimums.get(part) {
                let minimum = f32x4::from(*minimum);
                for (total, sum) in totals.iter_mut().zip(sums) {
                    *total += minimum * f32x4::splat(sum as f32);
                }
            }
        }
        for ((out, total), scale) in out[first..].iter_mut().zip(totals).zip(&x.scales[first..]) {
            *out = (total * f32x4::splat(*scale)).to_array();
        }
    }
}

/// The weights of 4 rows and 8 columns, two columns a vector: `(0, 2) (1, 3) (4, 6) (5, 7)`.
#[inline(always)]
fn eight_columns<const CHUNKS: usize>(chunks: &[[u8; 16]; CHUNKS]) -> [i16x8; 4] {
    match chunks.as_slice() {
        [first, second] => {
            let [first, second]: [i16x8; 2] = [*first, *second].map(bytemuck::cast);
            [first << 8u32 >> 8u32, first >> 8u32, second << 8u32 >> 8u32, second >> 8u32]
        }
        _ => {
            let words: u16x8 = bytemuck::cast(chunks[0]);
            let low = u16x8::splat(15);
            [words & low, words >> 8u32 & low, words >> 4u32 & low, words >> 12u32].map(bytemuck::cast)
        }
    }
}

#[inline(always)]
fn splat(pair: [i16; 2]) -> i16x8 {
    bytemuck::cast(i32x4::splat(bytemuck::cast(pair)))
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
