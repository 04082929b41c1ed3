//! Four or five bits a weight, 256 to a block, with a scale and a minimum of six bits for every 32:
//! `d scale q - dmin min`.
//!
//! ```text
//! d, dmin     f16
//! scales[12]  scales and minima, see below
//! qh[32]      Q5_K only: the fifth bits
//! qs[128]     nibbles
//! ```
//!
//! A block is four runs of 64 weights with 32 bytes of `qs` each: lane `l` of run `r` is the low nibble of `qs[l]`,
//! and lane `l + 32` the high one. Their fifth bits are bits 2r and 2r + 1 of `qh[l]`.
//!
//! Scales 0 to 3 are the low six bits of bytes 0 to 3, minima 0 to 3 those of bytes 4 to 7.
//! Scale and minimum `j` of 4 to 7 have their low bits in the low and the high nibble of byte `j + 4`,
//! and their two high bits on top of bytes `j - 4` and `j`.

use super::super_block::{EMPTY, SuperBlock};

pub(crate) fn q4_k([d0, d1, m0, m1, scales_qs @ ..]: &[u8; 144]) -> SuperBlock {
    let (scales, qs) = scales_qs.split_at(12);
    let mut block = with_scales([*d0, *d1], [*m0, *m1], scales);
    for (at, quants) in block.quants.as_chunks_mut::<32>().0.iter_mut().enumerate() {
        for (quant, q) in quants.iter_mut().zip(&qs[at / 2 * 32..][..32]) {
            *quant = ((q >> (at % 2 * 4)) & 15).cast_signed();
        }
    }
    block
}

pub(crate) fn q5_k([d0, d1, m0, m1, scales_qh_qs @ ..]: &[u8; 176]) -> SuperBlock {
    let (scales, qh_qs) = scales_qh_qs.split_at(12);
    let (qh, qs) = qh_qs.split_at(32);
    let mut block = with_scales([*d0, *d1], [*m0, *m1], scales);
    for (at, quants) in block.quants.as_chunks_mut::<32>().0.iter_mut().enumerate() {
        for ((quant, q), h) in quants.iter_mut().zip(&qs[at / 2 * 32..][..32]).zip(qh) {
            *quant = ((q >> (at % 2 * 4)) & 15 | ((h >> at) & 1) << 4).cast_signed();
        }
    }
    block
}

/// The scale and the minimum of the 32 weights at `at` stand for both their sixteens.
fn with_scales(d: [u8; 2], dmin: [u8; 2], scales: &[u8]) -> SuperBlock {
    let mut block = SuperBlock { d, dmin, ..EMPTY };
    for at in 0..8 {
        let (scale, minimum) = match at {
            0..4 => (scales[at] & 63, scales[at + 4] & 63),
            _ => (scales[at + 4] & 15 | scales[at - 4] >> 6 << 4, scales[at + 4] >> 4 | scales[at] >> 6 << 4),
        };
        block.scales[2 * at..][..2].fill(scale.cast_signed());
        block.minimums[2 * at..][..2].fill(minimum);
    }
    block
}
