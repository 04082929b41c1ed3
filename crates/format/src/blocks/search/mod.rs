//! Searches for the scales that lose least, where ggml's reference takes those that fit the largest value.
//!
//! With a scale a little smaller, the many values near zero are rendered better, at the cost of the few that
//! then lie beyond the last level. So a search tries a handful of scales, and for each of them
//!
//! 1. gives every value `x` its nearest level `q`,
//! 2. fits the scale to these levels: of all scales, `d = Σ x q / Σ q²` has the least squared error,
//! 3. and knows without another pass what error that leaves: `Σ x² - (Σ x q)² / Σ q²`.
//!
//! The best is fitted once more, to its own levels, and rounded to a half, as which it is stored.
//!
//! The values are tried as whole numbers of 16 bits, the largest as 32,767: eight of them fit a vector register
//! of SSE2 or WASM, and their sums may be taken in any order, so that the compiler vectorizes plain loops.
//! In `f32` the same search was half as fast. What is stored is computed from the values themselves.
//! Everything is inlined into the function for its type, where the levels are constants.
//!
//! `Q4_0` only does the second of these: to go on is to lose more in a whole model, as `q4_0` says.

mod q4_0;
mod q4_1;
mod q6_k;

pub(super) use q4_0::q4_0;
pub(super) use q4_1::q4_1;
pub(super) use q6_k::q6_k;

/// The largest value of a block as a whole number.
const ONE: f32 = i16::MAX as f32;

/// The whole number nearest to `value`, which must be one of 16 bits.
///
/// A sum with 1.5 * 2^23 has no bits left for a fraction, so it is rounded, and the number stands in its low bits.
#[inline(always)]
fn nearest(value: f32) -> i16 {
    (value + 12_582_912.0).to_bits() as i16
}

/// The level nearest to `x * factor / 2^16 - offset`, where that has `fraction` bits of fraction.
#[inline(always)]
fn nearest_level(x: i16, factor: i16, offset: i16, fraction: u32) -> i16 {
    let product = ((i32::from(x) * i32::from(factor)) >> 16) as i16;
    // Adding one half rounds.
    product.wrapping_add((1i16 << (fraction - 1)).wrapping_sub(offset)) >> fraction
}

/// `Σ a b`
#[inline(always)]
fn dot<const LEN: usize>(a: &[i16; LEN], b: &[i16; LEN]) -> i32 {
    a.iter().zip(b).map(|(a, b)| i32::from(*a) * i32::from(*b)).sum()
}

/// The squared error of what is `rendered` of `values`.
#[inline(always)]
fn squared_error(values: &[f32; 32], rendered: &[f32; 32]) -> f32 {
    let mut sums = [0.0; 8];
    for (values, rendered) in values.as_chunks::<8>().0.iter().zip(rendered.as_chunks::<8>().0) {
        for ((sum, value), rendered) in sums.iter_mut().zip(values).zip(rendered) {
            *sum += (value - rendered) * (value - rendered);
        }
    }
    sums.iter().sum()
}

/// By this factor the search must be better to be taken on the word of sums in `f32`, which err by a millionth.
const CLEARLY: f32 = 0.9999;

/// Of two blocks the one that loses less, `plain` if neither does: exact, for the few that are close.
#[cold]
fn better<const BYTES: usize>(
    values: &[f32; 32],
    searched: [u8; BYTES],
    plain: [u8; BYTES],
    unpack: impl Fn(&[u8; BYTES], &mut [f32; 32]),
) -> [u8; BYTES] {
    let lost = |block: &[u8; BYTES]| -> f64 {
        let mut rendered = [0.0; 32];
        unpack(block, &mut rendered);
        let errors = values.iter().zip(rendered).map(|(x, rendered)| f64::from(*x) - f64::from(rendered));
        errors.map(|error| error * error).sum()
    };
    // Not the other way round: what is no number does not win.
    if lost(&searched) < lost(&plain) { searched } else { plain }
}
