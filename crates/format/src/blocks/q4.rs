//! Four bits a weight, 32 to a block: byte j holds weight j in its low nibble and weight j + 16 in its high one.
//!
//! `Q4_Z` is Pronk's own; no GGUF file has it.
//! AWQ and GPTQ give each group of weights an integer zero point: `d (q - z)`.
//! `Q4_1` would need `-d z` as its minimum, which a half rounds; with the zero point itself, nothing is lost.

use super::float::{narrow, widen};
use super::range::{inverse, largest, min_and_max};

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

/// The largest weight becomes level 0, which is one further from 8 than level 15 is.
pub(super) fn pack_q4_0(values: &[f32; 32]) -> [u8; 18] {
    let d = largest(values) / -8.0;
    let id = f64::from(inverse(d));
    // gguf-py's way to have what a fused multiplication and addition rounds to.
    let levels = values.map(|value| ((f64::from(value) * id + 8.5) as f32 as u8).min(15));
    block([narrow(d)], &levels)
}

/// The smallest weight becomes level 0, the largest level 15.
pub(super) fn pack_q4_1(values: &[f32; 32]) -> [u8; 20] {
    let (min, max) = min_and_max(values);
    let d = (max - min) / 15.0;
    let id = inverse(d);
    let levels = values.map(|value| (((value - min) * id + 0.5) as u8).min(15));
    block([narrow(d), narrow(min)], &levels)
}

/// Halves, then 32 levels of 0 to 15 in 16 bytes.
pub(super) fn block<const HALVES: usize, const BYTES: usize>(
    halves: [[u8; 2]; HALVES],
    levels: &[u8; 32],
) -> [u8; BYTES] {
    let mut block = [0; BYTES];
    let (scales, qs) = block.split_at_mut(2 * HALVES);
    scales.copy_from_slice(halves.as_flattened());
    let (low, high) = levels.split_at(16);
    for ((q, low), high) in qs.iter_mut().zip(low).zip(high) {
        *q = low | high << 4;
    }
    block
}
