//! The layout read back, as its table says: what shaders do, in plain Rust.

use half::f16;

use super::quants::unpacked;
use super::{BLOCK, Quants, SUPER, Scales, TILE, WeightType};
use crate::blocks::float;

/// The values of all whole rows in `words`, `[rows, columns]`. `scales` are those of as many rows.
/// Panics if there are fewer scales than that: layouts are ours, and checked when they are read from outside.
pub fn unpack_rows(dtype: WeightType, columns: usize, words: &[u32], scales: &[u32]) -> Vec<f32> {
    if dtype.scales() == Scales::None {
        return floats(dtype.quants(), words);
    }
    let (row_words, tile_words) = (dtype.row_words(columns), dtype.tile_scale_words(columns));
    let mut values = Vec::with_capacity(words.len() / row_words * columns);
    for (row, words) in words.chunks_exact(row_words).enumerate() {
        let tile = Tile { words: &scales[row / TILE * tile_words..][..tile_words], row: row % TILE };
        let blocks = words.chunks_exact(dtype.quants().block_words());
        for (block, words) in blocks.enumerate() {
            let quants = quants(dtype.quants(), words);
            let halves = quants.chunks_exact(BLOCK / 2).enumerate();
            values.extend(halves.flat_map(|(half, quants)| {
                let (scale, offset, minimum) = tile.scale(dtype.scales(), block, half);
                quants.iter().map(move |quant| scale * (quant - offset) + minimum)
            }));
        }
    }
    values
}

/// Values that lie as they are: a model of halves is read at the speed of copying them.
fn floats(quants: Quants, words: &[u32]) -> Vec<f32> {
    match quants {
        Quants::F16 => halves(words, |half| float::widen(half.to_le_bytes())),
        Quants::BF16 => halves(words, |half| f32::from_bits(u32::from(half) << 16)),
        _ => words.iter().map(|word| f32::from_bits(*word)).collect(),
    }
}

fn halves(words: &[u32], value: impl Fn(u16) -> f32) -> Vec<f32> {
    let mut values = vec![0.0; 2 * words.len()];
    for (pair, word) in values.as_chunks_mut().0.iter_mut().zip(words) {
        *pair = [value(*word as u16), value((*word >> 16) as u16)];
    }
    values
}

/// The scales of one row inside those of its tile.
pub(super) struct Tile<'a> {
    pub(super) words: &'a [u32],
    pub(super) row: usize,
}

impl Tile<'_> {
    /// Scale, offset and minimum of half a block.
    pub(super) fn scale(&self, scales: Scales, block: usize, half: usize) -> (f32, f32, f32) {
        let (super_block, within) = (block / (SUPER / BLOCK), block % (SUPER / BLOCK));
        match scales {
            Scales::None => (1.0, 0.0, 0.0),
            Scales::One { offset } => (self.half(2 * block), offset.into(), 0.0),
            Scales::Minimum => {
                let (scale, minimum) = self.pair(4 * block);
                (scale, 0.0, minimum)
            }
            Scales::Zero => {
                let (scale, zero) = self.pair(4 * block);
                (scale, zero, 0.0)
            }
            Scales::Two { offset, parts } => {
                let first = super_block * (2 + 8 * parts);
                let scale = self.byte(first + 2 + within * parts + half * (parts - 1)).cast_signed();
                (self.half(first) * f32::from(scale), offset.into(), 0.0)
            }
            Scales::TwoMinimum { parts } => {
                let first = super_block * 2 * (2 + 8 * parts);
                let at = first + 4 + within * parts + half * (parts - 1);
                let minimum = self.half(first + 2) * f32::from(self.byte(at + 8 * parts));
                (self.half(first) * f32::from(self.byte(at).cast_signed()), 0.0, -minimum)
            }
        }
    }

    /// This row's half of the 4 that begin at word `first`.
    fn half(&self, first: usize) -> f32 {
        f16::from_bits((self.words[first + self.row / 2] >> (self.row % 2 * 16)) as u16).to_f32()
    }

    /// This row's two halves of the 8 that begin at word `first`.
    fn pair(&self, first: usize) -> (f32, f32) {
        let word = self.words[first + self.row];
        (f16::from_bits(word as u16).to_f32(), f16::from_bits((word >> 16) as u16).to_f32())
    }

    /// This row's byte of word `word`.
    fn byte(&self, word: usize) -> u8 {
        self.words[word].to_le_bytes()[self.row]
    }
}

/// The 32 quants of a block, before any scale.
fn quants(quants: Quants, words: &[u32]) -> [f32; BLOCK] {
    let bytes = unpacked(quants, words);
    match quants {
        Quants::Q8 => bytes.map(|quant| quant.cast_signed().into()),
        _ => bytes.map(f32::from),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::repack_rows;
    use crate::layout::tests::random_rows;
    use crate::{GgmlType, dequantize};

    #[test]
    fn every_type_is_held_exactly() {
        for (seed, source) in (1..).zip(GgmlType::SUPPORTED) {
            let dtype = WeightType::holding(source).unwrap();
            let columns = 2 * dtype.columns_multiple().max(source.block_len());
            // The last tile is not full.
            let bytes = random_rows(seed, source, 7, columns);
            let mut expected = Vec::new();
            dequantize(source, &bytes, &mut expected).unwrap();
            let (words, scales) = repack_rows(source, columns, &bytes).unwrap();
            assert_eq!(
                (words.len(), scales.len()),
                (7 * dtype.row_words(columns), 2 * dtype.tile_scale_words(columns))
            );
            let got = unpack_rows(dtype, columns, &words, &scales);
            assert_eq!(got.len(), expected.len(), "{source}");
            for (index, (got, expected)) in got.iter().zip(&expected).enumerate() {
                assert_eq!(got, expected, "{source}: weight {index}");
            }
        }
    }

    #[test]
    fn rows_that_end_inside_a_tile_leave_zero_scales() {
        let bytes = random_rows(3, GgmlType::Q4_0, 5, 64);
        let (_, scales) = repack_rows(GgmlType::Q4_0, 64, &bytes).unwrap();
        let half = |row: usize, block: usize| {
            let block = &bytes[(row * 2 + block) * 18..];
            u32::from(block[0]) | u32::from(block[1]) << 8
        };
        assert_eq!(scales[0], half(0, 0) | half(1, 0) << 16);
        assert_eq!(scales[3], half(2, 1) | half(3, 1) << 16);
        assert_eq!(scales[4], half(4, 0), "row 4 has no neighbour");
        assert_eq!(scales[5], 0);
    }

    #[test]
    fn what_is_no_row_is_refused() {
        for (source, columns, len) in
            [(GgmlType::Q4_0, 64, 35), (GgmlType::Q4_0, 16, 18), (GgmlType::Q6_K, 128, 0)]
        {
            let error = repack_rows(source, columns, &vec![0; len]).unwrap_err();
            assert!(matches!(error, crate::FormatError::PartialBlock { .. }), "{error}");
        }
        let error = repack_rows(GgmlType::IQ1_S, 256, &[0; 50]).unwrap_err().to_string();
        assert!(error.contains("IQ1_S is not supported"), "{error}");
    }
}
