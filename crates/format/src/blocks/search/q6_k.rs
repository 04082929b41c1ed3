//! `Q6_K`: levels of -32 to 31, a scale for every 16 weights, and the 16 scales of a block as bytes under one half.

use super::scale::{Levels, best_scale, whole};
use super::{ONE, nearest};
use crate::blocks::float::{narrow, widen};
use crate::blocks::q6_k;

const LEVELS: Levels = Levels { lowest: -32, highest: 31, fraction: 8 };

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
        *scale = best_scale(&whole(values, largest), LEVELS, &TRIED) * (largest / ONE);
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
