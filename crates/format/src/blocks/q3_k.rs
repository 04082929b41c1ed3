//! Three bits a weight, 256 to a block, with a six-bit scale for every 16: `d (scale - 32) (q - 4)`.
//!
//! ```text
//! hmask[32]   the highest bit of each q
//! qs[64]      the two low bits
//! scales[12]  the low nibbles of scales 0 to 7, over them those of 8 to 15; then four bytes of pairs of high bits
//! d           f16
//! ```
//!
//! The two low bits lie as those of `Q2_K`. Lane `l` of run `r` in half `h` has its high bit in bit 4h + r of `hmask[l]`.

use super::super_block::{EMPTY, SuperBlock};

pub(crate) fn q3_k([hmask_qs_scales @ .., d0, d1]: &[u8; 110]) -> SuperBlock {
    let (hmask, qs_scales) = hmask_qs_scales.split_at(32);
    let (qs, scales) = qs_scales.split_at(64);
    let mut block = SuperBlock { d: [*d0, *d1], ..EMPTY };
    for (at, into) in block.scales.iter_mut().enumerate() {
        *into = scale(scales, at).cast_signed() - 32;
    }
    for (at, quants) in block.quants.as_chunks_mut::<32>().0.iter_mut().enumerate() {
        let (half, run) = (at / 4, at % 4);
        for ((quant, q), h) in quants.iter_mut().zip(&qs[half * 32..][..32]).zip(hmask) {
            *quant = ((q >> (2 * run)) & 3 | ((h >> at) & 1) << 2).cast_signed();
        }
    }
    block
}

/// The scale, 0 to 63, of the sixteen weights at `at`.
fn scale(scales: &[u8], at: usize) -> u8 {
    let low = (scales[at % 8] >> (at / 8 * 4)) & 15;
    let high = (scales[8 + at % 4] >> (at / 4 * 2)) & 3;
    low | high << 4
}
