//! Four bits a weight that index a table of sixteen levels, dense around zero where most weights are.
//!
//! | type | weights | layout | value |
//! |---|---|---|---|
//! | `IQ4_NL` | 32 | f16 d; nibbles as in `Q4_0` | d level |
//! | `IQ4_XS` | 256 | f16 d; u16 scales_h; scales_l\[4\]; qs\[128\] | d (scale - 32) level |
//! | `MXFP4` | 32 | u8 e; nibbles as in `Q4_0` | 2^(e - 128) level |
//!
//! `IQ4_XS` is eight runs of 32 weights, with 16 bytes of nibbles and a six-bit scale each: four low bits in
//! a nibble of `scales_l`, two high ones in a pair of bits of `scales_h`.
//! `MXFP4` is the Open Compute Project's microscaling format: its levels are twice those of the float `e2m1`,
//! so that they are whole, and its scale is an exponent alone, halved to make up for it.

use super::float::widen;
use super::super_block::{EMPTY, SuperBlock};

/// ggml's `kvalues_iq4nl`.
const IQ4: [i8; 16] = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];

/// ggml's `kvalues_mxfp4`. The ninth is no negative zero: ggml's table is of integers.
const E2M1: [i8; 16] = [0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12];

pub(super) fn iq4_nl([d0, d1, qs @ ..]: &[u8; 18], out: &mut [f32; 32]) {
    let d = widen([*d0, *d1]);
    look_up(qs, IQ4.map(|level| d * f32::from(level)), out);
}

pub(crate) fn iq4_xs([d0, d1, h0, h1, scales_l_qs @ ..]: &[u8; 136]) -> SuperBlock {
    let scales_h = u16::from_le_bytes([*h0, *h1]);
    let (scales_l, qs) = scales_l_qs.split_at(4);
    let mut block = SuperBlock { d: [*d0, *d1], ..EMPTY };
    let ((sixteens, _), (runs, _)) = (qs.as_chunks(), block.quants.as_chunks_mut());
    for (at, (qs, quants)) in sixteens.iter().zip(runs).enumerate() {
        let low = (scales_l[at / 2] >> (at % 2 * 4)) & 15;
        let high = ((scales_h >> (at * 2)) & 3) as u8;
        block.scales[2 * at..][..2].fill((low | high << 4).cast_signed() - 32);
        look_up(qs, IQ4, quants);
    }
    block
}

/// The levels of a block's weights.
pub(crate) fn iq4_nl_levels(qs: &[u8; 16]) -> [i8; 32] {
    let mut levels = [0; 32];
    look_up(qs, IQ4, &mut levels);
    levels
}

/// The levels of a block's weights.
pub(crate) fn mxfp4_levels(qs: &[u8; 16]) -> [i8; 32] {
    let mut levels = [0; 32];
    look_up(qs, E2M1, &mut levels);
    levels
}

/// 2^(e - 128).
pub(crate) fn mxfp4_scale(e: u8) -> f32 {
    // The smallest two powers are subnormal.
    f32::from_bits(match e {
        0..2 => 0x0020_0000 << e,
        _ => u32::from(e - 1) << 23,
    })
}

pub(super) fn mxfp4([e, qs @ ..]: &[u8; 17], out: &mut [f32; 32]) {
    let scale = mxfp4_scale(*e);
    look_up(qs, E2M1.map(|level| scale * f32::from(level)), out);
}

fn look_up<T: Copy>(qs: &[u8; 16], levels: [T; 16], out: &mut [T; 32]) {
    let (low, high) = out.split_at_mut(16);
    for ((low, high), q) in low.iter_mut().zip(high).zip(qs) {
        *low = levels[usize::from(q & 15)];
        *high = levels[usize::from(q >> 4)];
    }
}
