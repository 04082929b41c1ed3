//! `Q6_K`: levels of -32 to 31, a scale for every 16 weights, and the 16 scales of a block as bytes under one half.

use super::{ONE, dot, nearest, nearest_level};
use crate::blocks::float::{narrow, widen};
use crate::blocks::q6_k;

const LOWEST: i16 = -32;
const HIGHEST: i16 = 31;

/// As many bits of fraction as there is room for behind the levels tried.
const FRACTION: u32 = 8;

/// 2^-24
const SMALLEST_HALF: f32 = 5.960_464_5e-8;

/// Where the largest value of sixteen may come to lie. ggml tries 19 places from -32.9 to -31.1, and so close to
/// one another that half as many lose no more; what helps is to go further, since few values are so large.
const TRIED: [f32; 6] = [-33.0, -32.0, -31.0, -30.0, -29.0, -28.0];

pub(in crate::blocks) fn q6_k(values: &[f32; 256]) -> [u8; 210] {
    let (sixteens, _) = values.as_chunks::<16>();
    let mut fitted = [0.0f32; 16];
    for (scale, values) in fitted.iter_mut().zip(sixteens) {
        let largest = farthest(values);
        *scale = best_scale(&whole(values, largest)) * (largest / ONE);
    }
    let largest = farthest(&fitted);
    // The bytes make up for what a small half lacks in bits; so even weights of 1e-6 are not lost.
    let half = narrow(SMALLEST_HALF.max(largest.abs() / 128.0).copysign(-largest));
    let d = widen(half);

    let (mut scales, mut levels) = ([0; 16], [0; 256]);
    let groups = sixteens.iter().zip(fitted).zip(levels.as_chunks_mut::<16>().0);
    for (((values, fitted), levels), scale) in groups.zip(&mut scales) {
        *scale = nearest(fitted / d).clamp(-128, 127) as u8;
        let id = 1.0 / (d * f32::from(scale.cast_signed()));
        *levels = values.map(|value| (nearest(value * id).clamp(-32, 31) + 32) as u8);
    }
    q6_k::block(&levels, &scales, half)
}

/// The scale that serves some levels best, and what it keeps: `(Σ x q)² / Σ q²`.
#[derive(Clone, Copy)]
struct Fit {
    kept: f32,
    d: f32,
}

impl Fit {
    #[inline(always)]
    fn or(self, other: Fit) -> Fit {
        if other.kept > self.kept { other } else { self }
    }
}

/// `values` as whole numbers, and `largest`, the one of the largest magnitude, as 32,767.
#[inline(always)]
fn whole(values: &[f32; 16], largest: f32) -> [i16; 16] {
    let factor = ONE / largest;
    values.map(|value| nearest(value * factor))
}

/// The best scale for whole numbers `x`.
#[inline(always)]
fn best_scale(x: &[i16; 16]) -> f32 {
    // A product with it has one level in its upper 16 bits, before the fraction.
    const ONE_LEVEL: f32 = 65_536.0 * (1 << FRACTION) as f32;
    let mut best = Fit { kept: 0.0, d: ONE / f32::from(LOWEST) };
    for level in TRIED {
        best = best.or(fit(x, (level * (ONE_LEVEL / ONE)) as i16));
    }
    best.or(fit(x, (ONE_LEVEL / best.d) as i16)).d
}

#[inline(always)]
fn fit(x: &[i16; 16], factor: i16) -> Fit {
    let q = x.map(|x| nearest_level(x, factor, 0, FRACTION).clamp(LOWEST, HIGHEST));
    let (xq, qq) = (dot(x, &q) as f32, dot(&q, &q) as f32);
    let d = xq / qq;
    Fit { kept: xq * d, d }
}

/// The number that is farthest from zero.
fn farthest(values: &[f32; 16]) -> f32 {
    values.iter().fold(0.0, |a: f32, b| if b.abs() > a.abs() { *b } else { a })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blocks::tests::{Distribution, squared_error};

    /// ggml's `quantize_row_q6_K_ref`, as it is documented: of 19 scales the one with the least error, where errors
    /// count more the larger the value. What the block then stands for.
    fn reference(values: &[f32; 256]) -> Vec<f32> {
        let fitted: Vec<f32> = values.chunks(16).map(reference_scale).collect();
        let largest = fitted.iter().fold(0.0f32, |a, b| if b.abs() > a.abs() { *b } else { a });
        let d = half::f16::from_f32(largest / -128.0).to_f32();
        let sixteens = values.chunks(16).zip(fitted).flat_map(|(values, fitted)| {
            let scale = (fitted * (-128.0 / largest)).round_ties_even().min(127.0);
            let level = move |x: f32| (x / (d * scale)).round_ties_even().clamp(-32.0, 31.0);
            values.iter().map(move |x| if d * scale == 0.0 { 0.0 } else { d * scale * level(*x) })
        });
        sixteens.collect()
    }

    fn reference_scale(values: &[f32]) -> f32 {
        let largest = values.iter().fold(0.0f32, |a, b| if b.abs() > a.abs() { *b } else { a });
        if largest.abs() < 1e-15 {
            return 0.0;
        }
        let (mut best, mut most_kept) = (0.0, 0.0);
        for step in [0, -9, -8, -7, -6, -5, -4, -3, -2, -1, 1, 2, 3, 4, 5, 6, 7, 8, 9] {
            let id = -(32.0 + 0.1 * step as f32) / largest;
            let level = |x: f32| (x * id).round_ties_even().clamp(-32.0, 31.0);
            let xq: f32 = values.iter().map(|x| x * x * x * level(*x)).sum();
            let qq: f32 = values.iter().map(|x| x * x * level(*x) * level(*x)).sum();
            if qq > 0.0 && xq * xq > most_kept * qq {
                (best, most_kept) = (xq / qq, xq * xq / qq);
            }
        }
        best
    }

    /// Constant values are left out: there, all that is lost is what the half rounds off, which is luck.
    #[test]
    fn no_worse_than_ggml() {
        let constant = [Distribution::Constant, Distribution::NearlyConstant, Distribution::Zeros].as_slice();
        for distribution in Distribution::ALL.iter().filter(|distribution| !constant.contains(distribution)) {
            let (mut ours, mut theirs) = (0.0, 0.0);
            for seed in 0..200 {
                let values: [f32; 256] = distribution.values(seed).try_into().unwrap();
                let mut rendered = [0.0; 256];
                crate::blocks::q6_k::q6_k(&q6_k(&values)).values(32.0, &mut rendered);
                ours += squared_error(&values, &rendered);
                theirs += squared_error(&values, &reference(&values));
            }
            assert!(ours <= theirs, "{distribution:?}: {ours:e}, ggml {theirs:e}");
        }
    }

    /// Weights whose block's half is rounded to zero in ggml.
    #[test]
    fn small_weights_are_not_lost() {
        let values: [f32; 256] = std::array::from_fn(|i| (i as f32 - 100.0) * 1e-7);
        let mut rendered = [0.0; 256];
        crate::blocks::q6_k::q6_k(&q6_k(&values)).values(32.0, &mut rendered);
        let lost = squared_error(&values, &rendered) / squared_error(&values, &[0.0; 256]);
        assert!(lost < 1e-3, "{lost}");
        assert!(reference(&values).iter().all(|rendered| *rendered == 0.0));
    }
}
