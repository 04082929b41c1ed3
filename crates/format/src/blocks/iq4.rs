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

/// ggml's `kvalues_iq4nl`.
const IQ4: [f32; 16] = [
    -127.0, -104.0, -83.0, -65.0, -49.0, -35.0, -22.0, -10.0, 1.0, 13.0, 25.0, 38.0, 53.0, 69.0, 89.0, 113.0,
];

/// ggml's `kvalues_mxfp4`. The ninth is no negative zero: ggml's table is of integers.
const E2M1: [f32; 16] =
    [0.0, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 0.0, -1.0, -2.0, -3.0, -4.0, -6.0, -8.0, -12.0];

pub(super) fn iq4_nl([d0, d1, qs @ ..]: &[u8; 18], out: &mut [f32; 32]) {
    look_up(qs, IQ4, widen([*d0, *d1]), out);
}

pub(super) fn iq4_xs([d0, d1, h0, h1, scales_l_qs @ ..]: &[u8; 136], out: &mut [f32; 256]) {
    let d = widen([*d0, *d1]);
    let scales_h = u16::from_le_bytes([*h0, *h1]);
    let (scales_l, qs) = scales_l_qs.split_at(4);
    let ((sixteens, _), (runs, _)) = (qs.as_chunks(), out.as_chunks_mut());
    for (at, (qs, out)) in sixteens.iter().zip(runs).enumerate() {
        let low = (scales_l[at / 2] >> (at % 2 * 4)) & 15;
        let high = ((scales_h >> (at * 2)) & 3) as u8;
        look_up(qs, IQ4, d * (f32::from(low | high << 4) - 32.0), out);
    }
}

pub(super) fn mxfp4([e, qs @ ..]: &[u8; 17], out: &mut [f32; 32]) {
    // The smallest two powers are subnormal.
    let bits = match e {
        0..2 => 0x0020_0000 << e,
        _ => u32::from(e - 1) << 23,
    };
    look_up(qs, E2M1, f32::from_bits(bits), out);
}

/// Scales the sixteen levels once, and then only looks them up.
fn look_up(qs: &[u8; 16], levels: [f32; 16], scale: f32, out: &mut [f32; 32]) {
    let levels = levels.map(|level| scale * level);
    let (low, high) = out.split_at_mut(16);
    for ((low, high), q) in low.iter_mut().zip(high).zip(qs) {
        *low = levels[usize::from(q & 15)];
        *high = levels[usize::from(q >> 4)];
    }
}
