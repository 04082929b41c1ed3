//! Six bits a weight, 256 to a block, with an eight-bit scale for every 16: `d scale (q - 32)`.
//!
//! ```text
//! ql[128]     four low bits of the weights
//! qh[64]      two high bits
//! scales[16]  i8
//! d           f16
//! ```
//!
//! The block is two halves of 128 weights with 64 bytes of `ql`, 32 of `qh` and 8 scales each.
//! A half is four runs of 32 weights. Lane `l` of runs 0 to 3 takes its low bits from
//! `ql[l]` low, `ql[l + 32]` low, `ql[l]` high, `ql[l + 32]` high, and its high bits from the pairs of `qh[l]`.

use super::float::widen;

pub(super) fn q6_k([ql_qh_scales @ .., d0, d1]: &[u8; 210], out: &mut [f32; 256]) {
    let d = widen([*d0, *d1]);
    let (ql, qh_scales) = ql_qh_scales.split_at(128);
    let (qh, scales) = qh_scales.split_at(64);
    let (sixteens, _) = out.as_chunks_mut::<16>();
    for (at, (out, scale)) in sixteens.iter_mut().zip(scales).enumerate() {
        let (half, run, side) = (at / 8, at % 8 / 2, at % 2);
        let dl = d * f32::from(scale.cast_signed());
        let ql = &ql[half * 64 + run % 2 * 32 + side * 16..][..16];
        let qh = &qh[half * 32 + side * 16..][..16];
        for ((out, low), high) in out.iter_mut().zip(ql).zip(qh) {
            let low = (low >> (run / 2 * 4)) & 15;
            let high = (high >> (run * 2)) & 3;
            *out = dl * (f32::from(low | high << 4) - 32.0);
        }
    }
}
