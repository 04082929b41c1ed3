//! The quants of a block of 32 columns, one byte each, packed into the words that shaders unpack four at a time.
//!
//! Columns `4k` to `4k + 3` are quad `k`. A shader's `unpack4xU8` gives a quad, so the bytes of a word are its columns.

use super::Quants;

/// Quads 0 to 3 in the low nibbles, quads 4 to 7 in the high ones.
pub(super) fn nibbles(quants: &[u8; 32]) -> [u32; 4] {
    let (low, high) = quants.split_at(16);
    let mut bytes = [0; 16];
    for ((byte, low), high) in bytes.iter_mut().zip(low).zip(high) {
        *byte = low & 15 | high << 4;
    }
    words(&bytes)
}

/// Four words of nibbles, and two of top bits: of quads 0 to 3, a pair of bits each, and of quads 4 to 7.
pub(super) fn sixes(quants: &[u8; 32]) -> [u32; 6] {
    let [a, b, c, d] = nibbles(quants);
    let (quads, _) = quants.as_chunks::<4>();
    let tops = |quads: &[[u8; 4]]| {
        let shifted = quads.iter().enumerate();
        shifted.fold(0, |tops, (at, quad)| tops | (u32::from_le_bytes(*quad) >> 4 & 0x0303_0303) << (2 * at))
    };
    let (low, high) = quads.split_at(4);
    [a, b, c, d, tops(low), tops(high)]
}

/// A word for every 4 bytes.
pub(super) fn words<const BYTES: usize, const WORDS: usize>(bytes: &[u8; BYTES]) -> [u32; WORDS] {
    const { assert!(BYTES == 4 * WORDS) };
    let mut words = [0; WORDS];
    for (word, le) in words.iter_mut().zip(bytes.as_chunks().0) {
        *word = u32::from_le_bytes(*le);
    }
    words
}

/// The 32 quants of a block in [`Quants::Q4`], [`Quants::Q6`] or [`Quants::Q8`], as they were packed: a byte each.
pub(super) fn unpacked(quants: Quants, words: &[u32]) -> [u8; 32] {
    let mut bytes = [0; 32];
    let (quads, _) = bytes.as_chunks_mut::<4>();
    match quants {
        Quants::Q8 => quads.iter_mut().zip(words).for_each(|(quad, word)| *quad = word.to_le_bytes()),
        _ => {
            let (nibbles, tops) = words.split_at(4);
            for (at, quad) in quads.iter_mut().enumerate() {
                let low = nibbles[at % 4] >> (at / 4 * 4) & 0x0F0F_0F0F;
                let top = tops.get(at / 4).map_or(0, |tops| tops >> (at % 4 * 2) & 0x0303_0303);
                *quad = (low | top << 4).to_le_bytes();
            }
        }
    }
    bytes
}
