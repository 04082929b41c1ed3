//! Eight bits a weight, 32 to a block.

use super::float::{narrow, widen};
use super::range::{inverse, min_and_max};

/// f16 d, then 32 signed bytes: `d q`.
pub(super) fn q8_0([d0, d1, qs @ ..]: &[u8; 34], out: &mut [f32; 32]) {
    let d = widen([*d0, *d1]);
    for (out, q) in out.iter_mut().zip(qs) {
        *out = d * f32::from(q.cast_signed());
    }
}

/// The largest magnitude becomes 127 or -127.
pub(super) fn pack_q8_0(values: &[f32; 32]) -> [u8; 34] {
    let (min, max) = min_and_max(values);
    let d = max.max(-min) / 127.0;
    let id = inverse(d);
    let mut block = [0; 34];
    let [d0, d1, qs @ ..] = &mut block;
    [*d0, *d1] = narrow(d);
    for (q, value) in qs.iter_mut().zip(values) {
        *q = nearest(value * id).cast_unsigned();
    }
    block
}

/// Rounds to the nearest, half way cases away from zero.
fn nearest(value: f32) -> i8 {
    let magnitude = value.abs();
    let floor = magnitude as i16;
    let half_way = magnitude - f32::from(floor) >= 0.5;
    // Where the inverse of a tiny scale is infinite, this is not a byte; and whatever it is, the scale is zero.
    let nearest = floor.wrapping_add(i16::from(half_way)) as i8;
    if value < 0.0 { nearest.wrapping_neg() } else { nearest }
}
