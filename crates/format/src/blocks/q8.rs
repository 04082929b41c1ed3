//! Eight bits a weight, 32 to a block.

use super::float::widen;

/// f16 d, then 32 signed bytes: `d q`.
pub(super) fn q8_0([d0, d1, qs @ ..]: &[u8; 34], out: &mut [f32; 32]) {
    let d = widen([*d0, *d1]);
    for (out, q) in out.iter_mut().zip(qs) {
        *out = d * f32::from(q.cast_signed());
    }
}
