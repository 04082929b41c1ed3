//! Three bits a weight, 256 to a block, with a six-bit scale for every 16: `d (scale - 32) (q - 4)`.
//!
//! ```text
//! hmask[32]   the highest bit of each q
//! qs[64]      the two low bits
//! scales[12]  the low nibbles of scales 0 to 7, over them those of 8 to 15; then four bytes of pairs of high bits
//! d           f16
//! ```
//!
//! The two low bits lie as those of `Q2_K`. Lane `l` of run `r` in half `h` has its high bit in bit 4h + r of `hmask[l]`.

use super::float::widen;

pub(super) fn q3_k([hmask_qs_scales @ .., d0, d1]: &[u8; 110], out: &mut [f32; 256]) {
    let d = widen([*d0, *d1]);
    let (hmask, qs_scales) = hmask_qs_scales.split_at(32);
    let (qs, scales) = qs_scales.split_at(64);
    let (sixteens, _) = out.as_chunks_mut::<16>();
    for (at, out) in sixteens.iter_mut().enumerate() {
        let (half, run, side) = (at / 8, at % 8 / 2, at % 2);
        let dl = d * (f32::from(scale(scales, at)) - 32.0);
        let (hmask, qs) = (&hmask[side * 16..][..16], &qs[half * 32 + side * 16..][..16]);
        for ((out, q), h) in out.iter_mut().zip(qs).zip(hmask) {
            let low = (q >> (2 * run)) & 3;
            let high = (h >> (4 * half + run)) & 1;
            *out = dl * (f32::from(low | high << 2) - 4.0);
        }
    }
}

/// The scale, 0 to 63, of the sixteen weights at `at`.
fn scale(scales: &[u8], at: usize) -> u8 {
    let low = (scales[at % 8] >> (at / 8 * 4)) & 15;
    let high = (scales[8 + at % 4] >> (at / 4 * 2)) & 3;
    low | high << 4
}
