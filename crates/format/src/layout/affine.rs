//! The layout read back as whole numbers: what those who compute with integers build their own layout from.
//!
//! Every type with scales is `scale * quant + minimum` for 16 columns, with a quant that fits an `i8`: what stands for
//! zero in the table is taken from the quants, and where it is no whole number it is in the minimum.

use super::quants::{unpacked, words};
use super::repack::whole_rows;
use super::unpack::Tile;
use super::{Quants, Scales, TILE, WeightType, repack_rows};
use crate::blocks::float::widen;
use crate::{FormatError, GgmlType};

/// 32 columns of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AffineBlock<'a> {
    words: &'a [u32],
    dtype: WeightType,
    /// For the first 16 columns, and for the others.
    pub scales: [f32; 2],
    /// The same.
    pub minimums: [f32; 2],
}

impl AffineBlock<'_> {
    /// The quants, one a column.
    pub fn quants(&self) -> [i8; 32] {
        let offset = self.dtype.offset();
        unpacked(self.dtype.quants(), self.words).map(|quant| quant.wrapping_sub(offset).cast_signed())
    }

    /// The quants of 4 bits as they lie, [`WeightType::offset`] not taken from them: column i in the lower half of byte i,
    /// column 16 + i in the upper one. None if they have more bits.
    pub fn nibbles(&self) -> Option<[u8; 16]> {
        let mut bytes = [0; 16];
        for (bytes, word) in bytes.as_chunks_mut().0.iter_mut().zip(self.words) {
            *bytes = word.to_le_bytes();
        }
        (self.dtype.quants() == Quants::Q4).then_some(bytes)
    }
}

/// Gives `take` every block of the whole rows in `words` with its row and its place in the row. `scales` are those of as
/// many rows. Gives none for types without scales.
/// Panics if there are fewer scales than that, as [`unpack_rows`](super::unpack_rows) does.
pub fn affine_blocks(
    dtype: WeightType,
    columns: usize,
    words: &[u32],
    scales: &[u32],
    take: &mut impl FnMut(usize, usize, &AffineBlock),
) {
    let block_words = match dtype.quants() {
        Quants::F16 | Quants::BF16 | Quants::F32 => return,
        quants => quants.block_words(),
    };
    let halves_differ =
        matches!(dtype.scales(), Scales::Two { parts: 2, .. } | Scales::TwoMinimum { parts: 2 });
    // A zero that is a whole number for all rows is taken from the quants, which then are the smaller.
    let offset = f32::from(dtype.offset());
    let minimum = |(scale, zero, minimum): (f32, f32, f32)| minimum - scale * (zero - offset);
    let (row_words, tile_words) = (dtype.row_words(columns), dtype.tile_scale_words(columns));
    for (row, words) in words.chunks_exact(row_words).enumerate() {
        let tile = Tile { words: &scales[row / TILE * tile_words..][..tile_words], row: row % TILE };
        for (block, words) in words.chunks_exact(block_words).enumerate() {
            let first = tile.scale(dtype.scales(), block, 0);
            let second = if halves_differ { tile.scale(dtype.scales(), block, 1) } else { first };
            let (scales, minimums) = ([first.0, second.0], [minimum(first), minimum(second)]);
            take(row, block, &AffineBlock { words, dtype, scales, minimums });
        }
    }
}

/// Gives `take` the blocks of whole rows as they lie in a file, as [`affine_blocks`] does those of the layout.
///
/// # Errors
/// Those of [`repack_rows`].
pub fn affine_rows(
    source: GgmlType,
    columns: usize,
    bytes: &[u8],
    take: &mut impl FnMut(usize, usize, &AffineBlock),
) -> Result<(), FormatError> {
    let row_bytes = whole_rows(source, columns, bytes)?;
    // The commonest types need no layout between: in WebAssembly a load takes a tenth less without.
    match source {
        GgmlType::Q4_0 => straight(WeightType::Q4, row_bytes, bytes, take, |[d0, d1, qs @ ..]: &[u8; 18]| {
            (words::<16, 4>(qs), widen([*d0, *d1]), 0.0)
        }),
        GgmlType::Q4_1 => {
            straight(WeightType::Q4M, row_bytes, bytes, take, |[d0, d1, m0, m1, qs @ ..]: &[u8; 20]| {
                (words::<16, 4>(qs), widen([*d0, *d1]), widen([*m0, *m1]))
            });
        }
        GgmlType::Q8_0 => straight(WeightType::Q8, row_bytes, bytes, take, |[d0, d1, qs @ ..]: &[u8; 34]| {
            (words::<32, 8>(qs), widen([*d0, *d1]), 0.0)
        }),
        _ => {
            let (words, scales) = repack_rows(source, columns, bytes)?;
            if let Some(dtype) = WeightType::holding(source) {
                affine_blocks(dtype, columns, &words, &scales, take);
            }
        }
    }
    Ok(())
}

/// Blocks whose quants lie in a file as in words; `read` gives those, the scale and the minimum.
fn straight<const BYTES: usize, const WORDS: usize>(
    dtype: WeightType,
    row_bytes: usize,
    bytes: &[u8],
    take: &mut impl FnMut(usize, usize, &AffineBlock),
    read: impl Fn(&[u8; BYTES]) -> ([u32; WORDS], f32, f32),
) {
    for (row, bytes) in bytes.chunks_exact(row_bytes).enumerate() {
        for (block, bytes) in bytes.as_chunks().0.iter().enumerate() {
            let (words, scale, minimum) = read(bytes);
            let (scales, minimums) = ([scale; 2], [minimum; 2]);
            take(row, block, &AffineBlock { words: &words, dtype, scales, minimums });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::tests::random_rows;
    use crate::layout::{repack_rows, unpack_rows};

    #[test]
    fn every_type_says_the_same_as_its_values() {
        let mut checked = 0;
        for (seed, source) in (1..).zip(GgmlType::SUPPORTED) {
            let dtype = WeightType::holding(source).unwrap();
            let columns = 2 * dtype.columns_multiple().max(source.block_len());
            let rows = random_rows(seed, source, 7, columns);
            let (words, scales) = repack_rows(source, columns, &rows).unwrap();
            let expected = unpack_rows(dtype, columns, &words, &scales);
            let mut of_the_file = Vec::new();
            affine_rows(source, columns, &rows, &mut |row, block, affine| {
                of_the_file.push((row, block, affine.quants(), affine.scales, affine.minimums));
            })
            .unwrap();
            let mut of_the_file = of_the_file.into_iter();
            affine_blocks(dtype, columns, &words, &scales, &mut |row, block, affine| {
                let expected_of_file = (row, block, affine.quants(), affine.scales, affine.minimums);
                assert_eq!(of_the_file.next(), Some(expected_of_file), "{source}");
                if let Some(nibbles) = affine.nibbles() {
                    let offset = dtype.offset().cast_signed();
                    let halves = [nibbles.map(|byte| byte & 15), nibbles.map(|byte| byte >> 4)].concat();
                    let lying = halves.into_iter().map(|nibble| nibble.cast_signed() - offset);
                    assert!(lying.eq(affine.quants()), "{source} row {row} block {block}");
                }
                for (column, quant) in affine.quants().iter().enumerate() {
                    let half = column / 16;
                    let got = affine.scales[half] * f32::from(*quant) + affine.minimums[half];
                    let at = row * columns + block * 32 + column;
                    let expected = expected[at];
                    // A product of a zero point is rounded on its own.
                    let bound = 4.0 * f32::EPSILON * (affine.minimums[half].abs() + expected.abs());
                    assert!(
                        (got - expected).abs() <= bound,
                        "{source}[{at}]: got {got}, expected {expected}"
                    );
                    checked += 1;
                }
            });
            assert_eq!(of_the_file.next(), None, "{source}");
        }
        assert!(checked > 15 * 7 * 64, "{checked}");
    }
}
