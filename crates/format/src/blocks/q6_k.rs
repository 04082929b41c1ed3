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

use half::f16;

pub(super) fn q6_k(bytes: &[u8], out: &mut Vec<f32>) {
    let (blocks, _) = bytes.as_chunks::<210>();
    for [ql_qh_scales @ .., d0, d1] in blocks {
        let (ql, qh_scales) = ql_qh_scales.split_at(128);
        let (qh, scales) = qh_scales.split_at(64);
        let d = f16::from_le_bytes([*d0, *d1]).to_f32();
        for ((ql, qh), scales) in ql.chunks_exact(64).zip(qh.chunks_exact(32)).zip(scales.chunks_exact(8)) {
            for run in 0..4 {
                for lane in 0..32 {
                    let low = (ql[lane + run % 2 * 32] >> (run / 2 * 4)) & 15;
                    let high = (qh[lane] >> (run * 2)) & 3;
                    let scale = f32::from(scales[run * 2 + lane / 16].cast_signed());
                    out.push(d * scale * (f32::from(low | high << 4) - 32.0));
                }
            }
        }
    }
}
