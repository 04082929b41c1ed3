//! Five bits a weight, 32 to a block: nibbles as in `Q4_0`, and the fifth bit of weight j is bit j of `qh`.

use super::float::widen;

/// f16 d, u32 qh, then 16 bytes of nibbles: `d (q - 16)`.
pub(super) fn q5_0([d0, d1, h0, h1, h2, h3, qs @ ..]: &[u8; 22], out: &mut [f32; 32]) {
    let d = widen([*d0, *d1]);
    unpack(u32::from_le_bytes([*h0, *h1, *h2, *h3]), qs, out, |q| d * (q - 16.0));
}

/// f16 d, f16 m, u32 qh, then 16 bytes of nibbles: `d q + m`.
pub(super) fn q5_1([d0, d1, m0, m1, h0, h1, h2, h3, qs @ ..]: &[u8; 24], out: &mut [f32; 32]) {
    let (d, m) = (widen([*d0, *d1]), widen([*m0, *m1]));
    unpack(u32::from_le_bytes([*h0, *h1, *h2, *h3]), qs, out, |q| d * q + m);
}

fn unpack(qh: u32, qs: &[u8; 16], out: &mut [f32; 32], value: impl Fn(f32) -> f32) {
    // A bit mask a lane, instead of a shift by the lane's number: SSE2 and WASM can't shift lanes by different amounts.
    const BITS: [u32; 16] = {
        let mut bits = [1; 16];
        let mut lane = 0;
        while lane < 16 {
            bits[lane] <<= lane;
            lane += 1;
        }
        bits
    };
    let fifth = |half: u32, bit: u32| if half & bit == 0 { 0 } else { 16 };
    let (low, high) = out.split_at_mut(16);
    for (((low, high), q), bit) in low.iter_mut().zip(high).zip(qs).zip(BITS) {
        *low = value((u32::from(q & 15) | fifth(qh, bit)) as f32);
        *high = value((u32::from(q >> 4) | fifth(qh >> 16, bit)) as f32);
    }
}
