//! Five bits a weight, 32 to a block: nibbles as in `Q4_0`, and the fifth bit of weight j is bit j of `qh`.

use super::float::{narrow, widen};
use super::range::{inverse, largest, min_and_max};

/// f16 d, u32 qh, then 16 bytes of nibbles: `d (q - 16)`.
pub(super) fn q5_0(block: &[u8; 22], out: &mut [f32; 32]) {
    let d = widen([block[0], block[1]]);
    for (out, q) in out.iter_mut().zip(q5_0_quants(block)) {
        *out = d * (f32::from(q) - 16.0);
    }
}

/// f16 d, f16 m, u32 qh, then 16 bytes of nibbles: `d q + m`.
pub(super) fn q5_1(block: &[u8; 24], out: &mut [f32; 32]) {
    let (d, m) = (widen([block[0], block[1]]), widen([block[2], block[3]]));
    for (out, q) in out.iter_mut().zip(q5_1_quants(block)) {
        *out = d * f32::from(q) + m;
    }
}

/// The quants, 0 to 31.
pub(crate) fn q5_0_quants([_, _, h0, h1, h2, h3, qs @ ..]: &[u8; 22]) -> [u8; 32] {
    quants([*h0, *h1, *h2, *h3], qs)
}

/// The quants, 0 to 31.
pub(crate) fn q5_1_quants([_, _, _, _, h0, h1, h2, h3, qs @ ..]: &[u8; 24]) -> [u8; 32] {
    quants([*h0, *h1, *h2, *h3], qs)
}

fn quants(qh: [u8; 4], qs: &[u8; 16]) -> [u8; 32] {
    let mut quants = [0; 32];
    let (low, high) = quants.split_at_mut(16);
    for (at, ((low, high), q)) in low.iter_mut().zip(high).zip(qs).enumerate() {
        // A bit mask a lane, instead of a shift by the lane's number: SSE2 and WASM can't shift lanes by different amounts.
        let bit = 1 << (at % 8);
        let fifth = |byte: u8| if byte & bit == 0 { 0 } else { 16 };
        *low = q & 15 | fifth(qh[at / 8]);
        *high = q >> 4 | fifth(qh[2 + at / 8]);
    }
    quants
}

/// The largest weight becomes level 0, which is one further from 16 than level 31 is.
pub(super) fn pack_q5_0(values: &[f32; 32]) -> [u8; 22] {
    let d = largest(values) / -16.0;
    let id = f64::from(inverse(d));
    // As in `Q4_0`.
    let levels = values.map(|value| ((f64::from(value) * id + 16.5) as f32 as u8).min(31));
    block([narrow(d)], &levels)
}

/// The smallest weight becomes level 0, the largest level 31.
pub(super) fn pack_q5_1(values: &[f32; 32]) -> [u8; 24] {
    let (min, max) = min_and_max(values);
    let d = (max - min) / 31.0;
    let id = inverse(d);
    let levels = values.map(|value| (((value - min) * id + 0.5) as u8).min(31));
    block([narrow(d), narrow(min)], &levels)
}

/// Halves, the fifth bits, then the lower four of 32 levels of 0 to 31.
fn block<const HALVES: usize, const BYTES: usize>(
    halves: [[u8; 2]; HALVES],
    levels: &[u8; 32],
) -> [u8; BYTES] {
    let qh = (0..32).zip(levels).fold(0, |qh, (at, level)| qh | u32::from(level >> 4) << at);
    let mut block = [0; BYTES];
    let (scales, qh_qs) = block.split_at_mut(2 * HALVES);
    let (fifths, qs) = qh_qs.split_at_mut(4);
    scales.copy_from_slice(halves.as_flattened());
    fifths.copy_from_slice(&qh.to_le_bytes());
    let (low, high) = levels.split_at(16);
    for ((q, low), high) in qs.iter_mut().zip(low).zip(high) {
        *q = low & 15 | high << 4;
    }
    block
}
