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

use super::super_block::{EMPTY, SuperBlock};

pub(crate) fn q6_k([ql_qh_scales @ .., d0, d1]: &[u8; 210]) -> SuperBlock {
    let (ql, qh_scales) = ql_qh_scales.split_at(128);
    let (qh, scales) = qh_scales.split_at(64);
    let mut block = SuperBlock { d: [*d0, *d1], ..EMPTY };
    for (into, scale) in block.scales.iter_mut().zip(scales) {
        *into = scale.cast_signed();
    }
    for (at, quants) in block.quants.as_chunks_mut::<32>().0.iter_mut().enumerate() {
        let (half, run) = (at / 4, at % 4);
        let (ql, qh) = (&ql[half * 64 + run % 2 * 32..][..32], &qh[half * 32..][..32]);
        for ((quant, low), high) in quants.iter_mut().zip(ql).zip(qh) {
            *quant = ((low >> (run / 2 * 4)) & 15 | ((high >> (run * 2)) & 3) << 4).cast_signed();
        }
    }
    block
}

/// 256 levels of 0 to 63, sixteen scales, and their half.
pub(super) fn block(levels: &[u8; 256], scales: &[u8; 16], half: [u8; 2]) -> [u8; 210] {
    let mut block = [0; 210];
    let (ql, qh_scales) = block.split_at_mut(128);
    let (qh, scales_d) = qh_scales.split_at_mut(64);
    for (at, levels) in levels.as_chunks::<32>().0.iter().enumerate() {
        let (half, run) = (at / 4, at % 4);
        let (ql, qh) = (&mut ql[half * 64 + run % 2 * 32..][..32], &mut qh[half * 32..][..32]);
        for ((low, high), level) in ql.iter_mut().zip(qh).zip(levels) {
            *low |= (level & 15) << (run / 2 * 4);
            *high |= level >> 4 << (run * 2);
        }
    }
    for (out, byte) in scales_d.iter_mut().zip(scales.iter().chain(&half)) {
        *out = *byte;
    }
    block
}
