//! From a file's blocks to the layout: quants and scales apart, scales by tiles of 4 rows.

use half::f16;

use super::quants::{nibbles, sixes, words};
use super::{Scales, TILE, WeightType};
use crate::blocks::super_block::SuperBlock;
use crate::blocks::{iq4, q2_k, q3_k, q4_k, q5, q6_k};
use crate::{FormatError, GgmlType};

/// Quants and scales of whole rows, in words. Rows that do not fill the last tile count as zeros.
///
/// # Errors
/// If no [`WeightType`] holds the blocks, or if `bytes` are not whole rows of `columns`.
pub fn repack_rows(
    source: GgmlType,
    columns: usize,
    bytes: &[u8],
) -> Result<(Vec<u32>, Vec<u32>), FormatError> {
    let unsupported = || FormatError::unsupported_type(source.to_string());
    let dtype = WeightType::holding(source).ok_or_else(unsupported)?;
    let row_bytes = whole_rows(source, columns, bytes)?;
    let (rows, row_words, tile_words) =
        (bytes.len() / row_bytes, dtype.row_words(columns), dtype.tile_scale_words(columns));
    let mut quants = vec![0; rows * row_words];
    let mut scales = vec![0; rows.div_ceil(TILE) * tile_words];
    for (row, (bytes, quants)) in
        bytes.chunks_exact(row_bytes).zip(quants.chunks_exact_mut(row_words)).enumerate()
    {
        let tile = &mut scales[row / TILE * tile_words..][..tile_words];
        repack_row(source, bytes, quants, &mut Tile { words: tile, row: row % TILE });
    }
    Ok((quants, scales))
}

/// How many bytes a row has, of which there must be whole ones.
pub(super) fn whole_rows(source: GgmlType, columns: usize, bytes: &[u8]) -> Result<usize, FormatError> {
    let row_bytes = columns / source.block_len() * source.block_bytes();
    if row_bytes == 0 || !bytes.len().is_multiple_of(row_bytes) {
        return Err(FormatError::PartialBlock { dtype: source, block_bytes: row_bytes, found: bytes.len() });
    }
    Ok(row_bytes)
}

/// The scales of one row inside those of its tile.
struct Tile<'a> {
    words: &'a mut [u32],
    row: usize,
}

impl Tile<'_> {
    /// Puts this row's half among the 4 that begin at word `first`.
    fn half(&mut self, first: usize, half: [u8; 2]) {
        self.words[first + self.row / 2] |= u32::from(u16::from_le_bytes(half)) << (self.row % 2 * 16);
    }

    /// Puts this row's byte among the 4 of word `word`.
    fn byte(&mut self, word: usize, byte: u8) {
        self.words[word] |= u32::from(byte) << (self.row * 8);
    }

    /// Puts both levels of a block of 256, in as many parts as the type has for 32 columns.
    fn super_block(&mut self, index: usize, block: &SuperBlock, scales: Scales) {
        let (parts, has_minimum) = match scales {
            Scales::Two { parts, .. } => (parts, false),
            Scales::TwoMinimum { parts } => (parts, true),
            _ => return,
        };
        let levels = if has_minimum { 2 } else { 1 };
        let first = index * levels * (2 + 8 * parts);
        self.half(first, block.d);
        if has_minimum {
            self.half(first + 2, block.dmin);
        }
        let step = 2 / parts;
        for part in 0..8 * parts {
            let at = first + 2 * levels + part;
            self.byte(at, block.scales[part * step].cast_unsigned());
            if has_minimum {
                self.byte(at + 8 * parts, block.minimums[part * step]);
            }
        }
    }
}

fn repack_row(source: GgmlType, bytes: &[u8], quants: &mut [u32], tile: &mut Tile) {
    match source {
        // The nibbles are in the shaders' order already.
        GgmlType::Q4_0 => each_block(bytes, quants, |block, [d0, d1, qs @ ..]: &[u8; 18]| {
            tile.half(2 * block, [*d0, *d1]);
            words::<16, 4>(qs)
        }),
        GgmlType::Q4_1 | GgmlType::Q4_Z => {
            each_block(bytes, quants, |block, [d0, d1, m0, m1, qs @ ..]: &[u8; 20]| {
                tile.words[4 * block + tile.row] = u32::from_le_bytes([*d0, *d1, *m0, *m1]);
                words::<16, 4>(qs)
            });
        }
        GgmlType::Q5_0 => each_block(bytes, quants, |block, bytes: &[u8; 22]| {
            tile.half(2 * block, [bytes[0], bytes[1]]);
            // The type's own offset is 16, that of six bits 32.
            sixes(&q5::q5_0_quants(bytes).map(|quant| quant + 16))
        }),
        GgmlType::Q5_1 => each_block(bytes, quants, |block, bytes: &[u8; 24]| {
            let [d0, d1, m0, m1, ..] = *bytes;
            tile.words[4 * block + tile.row] = u32::from_le_bytes([d0, d1, m0, m1]);
            sixes(&q5::q5_1_quants(bytes))
        }),
        GgmlType::Q8_0 => each_block(bytes, quants, |block, [d0, d1, qs @ ..]: &[u8; 34]| {
            tile.half(2 * block, [*d0, *d1]);
            words::<32, 8>(qs)
        }),
        GgmlType::IQ4_NL => each_block(bytes, quants, |block, [d0, d1, qs @ ..]: &[u8; 18]| {
            tile.half(2 * block, [*d0, *d1]);
            words::<32, 8>(&iq4::iq4_nl_levels(qs).map(i8::cast_unsigned))
        }),
        GgmlType::MXFP4 => each_block(bytes, quants, |block, [e, qs @ ..]: &[u8; 17]| {
            tile.half(2 * block, f16::from_f32(iq4::mxfp4_scale(*e)).to_le_bytes());
            words::<32, 8>(&iq4::mxfp4_levels(qs).map(i8::cast_unsigned))
        }),
        GgmlType::Q2_K => each_super_block(bytes, quants, tile, WeightType::Q2K, q2_k::q2_k, nibbles),
        // The type's own offset is 4, that of four bits 8.
        GgmlType::Q3_K => each_super_block(bytes, quants, tile, WeightType::Q3K, q3_k::q3_k, |quants| {
            nibbles(&quants.map(|quant| quant + 4))
        }),
        GgmlType::Q4_K => each_super_block(bytes, quants, tile, WeightType::Q4K, q4_k::q4_k, nibbles),
        GgmlType::Q5_K => each_super_block(bytes, quants, tile, WeightType::Q5K, q4_k::q5_k, sixes),
        GgmlType::Q6_K => each_super_block(bytes, quants, tile, WeightType::Q6, q6_k::q6_k, sixes),
        GgmlType::IQ4_XS => {
            each_super_block(bytes, quants, tile, WeightType::Q8K, iq4::iq4_xs, words::<32, 8>)
        }
        // Two halves, or one float, to a word; `WeightType::holding` knows no others.
        _ => {
            for (word, le) in quants.iter_mut().zip(bytes.as_chunks().0) {
                *word = u32::from_le_bytes(*le);
            }
        }
    }
}

fn each_block<const BYTES: usize, const WORDS: usize>(
    bytes: &[u8],
    quants: &mut [u32],
    mut pack: impl FnMut(usize, &[u8; BYTES]) -> [u32; WORDS],
) {
    let (blocks, words) = (bytes.as_chunks().0, quants.as_chunks_mut().0);
    for (index, (block, words)) in blocks.iter().zip(words).enumerate() {
        *words = pack(index, block);
    }
}

fn each_super_block<const BYTES: usize, const WORDS: usize>(
    bytes: &[u8],
    quants: &mut [u32],
    tile: &mut Tile,
    dtype: WeightType,
    take_apart: fn(&[u8; BYTES]) -> SuperBlock,
    pack: impl Fn(&[u8; 32]) -> [u32; WORDS],
) {
    let mut words = quants.as_chunks_mut().0.iter_mut();
    for (index, block) in bytes.as_chunks().0.iter().enumerate() {
        let block = take_apart(block);
        tile.super_block(index, &block, dtype.scales());
        let quants = block.quants.map(i8::cast_unsigned);
        for (quants, words) in quants.as_chunks().0.iter().zip(&mut words) {
            *words = pack(quants);
        }
    }
}
