//! Four bits a weight, 32 to a block: byte j holds weight j in its low nibble and weight j + 16 in its high one.
//!
//! `Q4_Z` is Pronk's own; no GGUF file has it.
//! AWQ and GPTQ give each group of weights an integer zero point: `d (q - z)`.
//! `Q4_1` would need `-d z` as its minimum, which a half rounds; with the zero point itself, nothing is lost.

use super::float::widen;

/// f16 d, then 16 bytes of nibbles: `d (q - 8)`.
pub(super) fn q4_0([d0, d1, qs @ ..]: &[u8; 18], out: &mut [f32; 32]) {
    let d = widen([*d0, *d1]);
    unpack(qs, out, |q| d * (q - 8.0));
}

/// f16 d, f16 m, then 16 bytes of nibbles: `d q + m`.
pub(super) fn q4_1([d0, d1, m0, m1, qs @ ..]: &[u8; 20], out: &mut [f32; 32]) {
    let (d, m) = (widen([*d0, *d1]), widen([*m0, *m1]));
    unpack(qs, out, |q| d * q + m);
}

/// f16 d, f16 z, then 16 bytes of nibbles: `d (q - z)`.
pub(super) fn q4_z([d0, d1, z0, z1, qs @ ..]: &[u8; 20], out: &mut [f32; 32]) {
    let (d, z) = (widen([*d0, *d1]), widen([*z0, *z1]));
    unpack(qs, out, |q| d * (q - z));
}

fn unpack(qs: &[u8; 16], out: &mut [f32; 32], value: impl Fn(f32) -> f32) {
    let (low, high) = out.split_at_mut(16);
    for ((low, high), q) in low.iter_mut().zip(high).zip(qs) {
        *low = value(f32::from(q & 15));
        *high = value(f32::from(q >> 4));
    }
}
