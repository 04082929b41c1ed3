//! Two bits a weight, 256 to a block, with a scale and a minimum of four bits for every 16: `d scale q - dmin min`.
//!
//! ```text
//! scales[16]  scale in the low nibble, min in the high one
//! qs[64]      quants
//! d, dmin     f16
//! ```
//!
//! The block is two halves of 128 weights with 32 bytes of `qs` and 8 of `scales` each.
//! A half is four runs of 32 weights. Lane `l` of run `r` is bits 2r and 2r + 1 of `qs[l]`.

use super::super_block::{EMPTY, SuperBlock};

pub(crate) fn q2_k([scales_qs @ .., d0, d1, m0, m1]: &[u8; 84]) -> SuperBlock {
    let (nibbles, qs) = scales_qs.split_at(16);
    let mut block = SuperBlock { d: [*d0, *d1], dmin: [*m0, *m1], ..EMPTY };
    for ((scale, minimum), nibbles) in block.scales.iter_mut().zip(&mut block.minimums).zip(nibbles) {
        (*scale, *minimum) = ((nibbles & 15).cast_signed(), nibbles >> 4);
    }
    for (at, quants) in block.quants.as_chunks_mut::<32>().0.iter_mut().enumerate() {
        let (half, run) = (at / 4, at % 4);
        for (quant, q) in quants.iter_mut().zip(&qs[half * 32..][..32]) {
            *quant = ((q >> (2 * run)) & 3).cast_signed();
        }
    }
    block
}
