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

use super::float::widen;

pub(super) fn q2_k([scales_qs @ .., d0, d1, m0, m1]: &[u8; 84], out: &mut [f32; 256]) {
    let (d, dmin) = (widen([*d0, *d1]), widen([*m0, *m1]));
    let (scales, qs) = scales_qs.split_at(16);
    let (sixteens, _) = out.as_chunks_mut::<16>();
    for (at, (out, scale)) in sixteens.iter_mut().zip(scales).enumerate() {
        let (half, run, side) = (at / 8, at % 8 / 2, at % 2);
        let dl = d * f32::from(scale & 15);
        let ml = dmin * f32::from(scale >> 4);
        for (out, q) in out.iter_mut().zip(&qs[half * 32 + side * 16..][..16]) {
            *out = dl * f32::from((q >> (2 * run)) & 3) - ml;
        }
    }
}
