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

use super::float::widen;

pub(super) fn q4_k([d0, d1, m0, m1, scales_qs @ ..]: &[u8; 144], out: &mut [f32; 256]) {
    let (d, dmin) = (widen([*d0, *d1]), widen([*m0, *m1]));
    let (scales, qs) = scales_qs.split_at(12);
    let (runs, _) = out.as_chunks_mut::<32>();
    for (at, out) in runs.iter_mut().enumerate() {
        let (dl, ml) = scale_and_min(d, dmin, scales, at);
        for (out, q) in out.iter_mut().zip(&qs[at / 2 * 32..][..32]) {
            *out = dl * f32::from((q >> (at % 2 * 4)) & 15) - ml;
        }
    }
}

pub(super) fn q5_k([d0, d1, m0, m1, scales_qh_qs @ ..]: &[u8; 176], out: &mut [f32; 256]) {
    let (d, dmin) = (widen([*d0, *d1]), widen([*m0, *m1]));
    let (scales, qh_qs) = scales_qh_qs.split_at(12);
    let (qh, qs) = qh_qs.split_at(32);
    let (runs, _) = out.as_chunks_mut::<32>();
    for (at, out) in runs.iter_mut().enumerate() {
        let (dl, ml) = scale_and_min(d, dmin, scales, at);
        for ((out, q), h) in out.iter_mut().zip(&qs[at / 2 * 32..][..32]).zip(qh) {
            let low = (q >> (at % 2 * 4)) & 15;
            *out = dl * f32::from(low | ((h >> at) & 1) << 4) - ml;
        }
    }
}

/// What to multiply with and what to subtract in the 32 weights at `at`.
fn scale_and_min(d: f32, dmin: f32, scales: &[u8], at: usize) -> (f32, f32) {
    let (scale, min) = match at {
        0..4 => (scales[at] & 63, scales[at + 4] & 63),
        _ => (scales[at + 4] & 15 | scales[at - 4] >> 6 << 4, scales[at + 4] >> 4 | scales[at] >> 6 << 4),
    };
    (d * f32::from(scale), dmin * f32::from(min))
}
