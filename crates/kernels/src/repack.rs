//! From GGUF's blocks to the layout of [`Weight`](crate::Weight): quants and scales apart, scales by tiles of 4 rows.
//!
//! Nothing is rounded: every type holds its GGUF type exactly.

use crate::WeightType;
use crate::weight::{BLOCK, TILE};

/// Quants and scales of whole rows, in words. Rows that do not fill the last tile count as zeros.
pub(crate) fn repack_rows(dtype: WeightType, columns: usize, bytes: &[u8]) -> (Vec<u32>, Vec<u32>) {
    let source = dtype.source();
    let row_bytes = columns / source.block_len() * source.block_bytes();
    let rows = bytes.len() / row_bytes;
    let mut words = Vec::with_capacity(rows * dtype.row_words(columns));
    let mut scales = vec![0; rows.div_ceil(TILE) * dtype.tile_scale_words(columns)];
    for (row, bytes) in bytes.chunks_exact(row_bytes).enumerate() {
        let tile = row / TILE * dtype.tile_scale_words(columns);
        let mut put = Scales { tile: &mut scales[tile..], row: row % TILE };
        for (block, bytes) in bytes.chunks_exact(source.block_bytes()).enumerate() {
            repack_block(dtype, block, bytes, &mut words, &mut put);
        }
    }
    (words, scales)
}

/// The scales of one row inside those of its tile.
struct Scales<'a> {
    tile: &'a mut [u32],
    row: usize,
}

impl Scales<'_> {
    /// Puts this row's half among the 4 that begin at word `first`.
    fn half(&mut self, first: usize, half: &[u8]) {
        let bits = u32::from(half[0]) | u32::from(half[1]) << 8;
        self.tile[first + self.row / 2] |= bits << (self.row % 2 * 16);
    }

    /// Puts this row's byte among the 4 of word `word`.
    fn byte(&mut self, word: usize, byte: u8) {
        self.tile[word] |= u32::from(byte) << (self.row * 8);
    }
}

fn repack_block(dtype: WeightType, block: usize, bytes: &[u8], words: &mut Vec<u32>, scales: &mut Scales) {
    match dtype {
        // f16 scale, 16 bytes of nibbles: already in the shaders' order.
        WeightType::Q4 => {
            scales.half(block * 2, &bytes[..2]);
            push_words(words, &bytes[2..]);
        }
        // f16 scale, f16 minimum, nibbles.
        WeightType::Q4M => {
            scales.tile[block * 4 + scales.row] = word(&bytes[..4]);
            push_words(words, &bytes[4..]);
        }
        // f16 scale, 32 signed bytes.
        WeightType::Q8 => {
            scales.half(block * 2, &bytes[..2]);
            push_words(words, &bytes[2..]);
        }
        WeightType::Q6 => repack_q6_k(block, bytes, words, scales),
        WeightType::F16 => {
            debug_assert_eq!(bytes.len(), 2);
            match block % 2 {
                0 => words.push(u32::from(bytes[0]) | u32::from(bytes[1]) << 8),
                _ => {
                    if let Some(last) = words.last_mut() {
                        *last |= u32::from(bytes[0]) << 16 | u32::from(bytes[1]) << 24;
                    }
                }
            }
        }
        WeightType::F32 => words.push(word(bytes)),
    }
}

/// 128 bytes of low nibbles, 64 of top bits, 16 signed scales, f16 scale of them all; 256 weights.
fn repack_q6_k(super_block: usize, bytes: &[u8], words: &mut Vec<u32>, scales: &mut Scales) {
    let (low, rest) = bytes.split_at(128);
    let (top, rest) = rest.split_at(64);
    let (small, d) = rest.split_at(16);
    let first = super_block * 18;
    scales.half(first, d);
    for (index, &scale) in small.iter().enumerate() {
        scales.byte(first + 2 + index, scale);
    }
    for block in 0..256 / BLOCK {
        let quant = |column: usize| {
            // Weight n of each half of 128 has its nibble in byte n % 64, its top bits in byte n % 32.
            let (half, n) = (block / 4, block % 4 * BLOCK + column);
            let nibble = low[half * 64 + n % 64] >> (n / 64 * 4) & 15;
            let bits = top[half * 32 + n % 32] >> (n / 32 * 2) & 3;
            (u32::from(nibble), u32::from(bits))
        };
        let [mut nibbles, mut tops] = [[0u32; 4], [0u32; 4]];
        for column in 0..BLOCK {
            let (nibble, bits) = quant(column);
            let (high, quad, byte) = (column / 16, column % 16 / 4, column % 4);
            nibbles[quad] |= nibble << (byte * 8 + high * 4);
            tops[high] |= bits << (byte * 8 + quad * 2);
        }
        words.extend(nibbles);
        words.extend(&tops[..2]);
    }
}

fn word(bytes: &[u8]) -> u32 {
    u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}

fn push_words(words: &mut Vec<u32>, bytes: &[u8]) {
    words.extend(bytes.chunks_exact(4).map(word));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::random_weights;
    use format::GgmlType;

    /// Q6_K is the one whose bits move: a weight is found again from the layout's description.
    #[test]
    fn q6_weights_stand_where_the_layout_says() {
        let columns = 512;
        let bytes = random_weights(7, GgmlType::Q6_K, [6, columns]);
        let mut expected = Vec::new();
        format::dequantize(GgmlType::Q6_K, &bytes, &mut expected).unwrap();
        let (words, scales) = repack_rows(WeightType::Q6, columns, &bytes);
        for (index, expected) in expected.iter().enumerate() {
            let (row, column) = (index / columns, index % columns);
            let (block, within) = (row * columns / 32 + column / 32, column % 32);
            let nibble = words[block * 6 + within % 16 / 4] >> (within % 4 * 8 + within / 16 * 4) & 15;
            let top = words[block * 6 + 4 + within / 16] >> (within % 4 * 8 + within % 16 / 4 * 2) & 3;
            let super_block = (row / 4 * columns / 256 + column / 256) * 18;
            let d = half::f16::from_bits((scales[super_block + row % 4 / 2] >> (row % 2 * 16)) as u16);
            let scale = scales[super_block + 2 + column % 256 / 16].to_le_bytes()[row % 4] as i8;
            let got = d.to_f32() * f32::from(scale) * (f32::from((nibble | top << 4) as u8) - 32.0);
            assert_eq!(got, *expected, "weight {index}");
        }
    }

    #[test]
    fn rows_that_end_inside_a_tile_leave_zero_scales() {
        let bytes = random_weights(3, GgmlType::Q4_0, [5, 64]);
        let (words, scales) = repack_rows(WeightType::Q4, 64, &bytes);
        assert_eq!(words.len(), 5 * 2 * 4);
        assert_eq!(scales.len(), 2 * 2 * 2);
        let half = |row: usize, block: usize| {
            u32::from(bytes[(row * 2 + block) * 18]) | u32::from(bytes[(row * 2 + block) * 18 + 1]) << 8
        };
        assert_eq!(scales[0], half(0, 0) | half(1, 0) << 16);
        assert_eq!(scales[3], half(2, 1) | half(3, 1) << 16);
        assert_eq!(scales[4], half(4, 0), "row 4 has no neighbour");
        assert_eq!(scales[5], 0);
    }
}
