//! `Q4_0`: one scale for 32 weights, with levels of -8 to 7.

use super::scale::{Levels, best_scale, whole};
use super::{CLEARLY, ONE, better, dot, nearest, squared_error};
use crate::blocks::float::{narrow, widen};
use crate::blocks::q4;
use crate::blocks::range::largest;

const LEVELS: Levels = Levels { lowest: -8, highest: 7, fraction: 10 };

/// Where the largest value may come to lie. The reference has it at -8; what is beyond -8 and 7 is cut off.
///
/// Four that were found by trying on Gaussians and on a model's weights: if all errors count alike, they take
/// 11 % off the reference's squared error, and six hundred take 11.3 %.
const TRIED: [f32; 4] = [-7.2, -7.75, -8.3, -8.85];

pub(in crate::blocks) fn q4_0(values: &[f32; 32]) -> [u8; 18] {
    let largest = largest(values);
    let x = whole(values, largest);
    let d = best_scale(&x, &weights(&x), LEVELS, &TRIED) * (largest / ONE);
    let searched = Block::new(values, d);
    let plain = Block::new(values, largest / -8.0);
    if searched.squared_error(values) < CLEARLY * plain.squared_error(values) {
        searched.bytes()
    } else {
        better(values, searched.bytes(), q4::pack_q4_0(values), q4::q4_0)
    }
}

/// How much an error in each value counts: as much as the mean magnitude and its own together, 126 at most.
///
/// With a fifth or a quarter of a model of 135 M weights quantized, the divergence (KL) of its next tokens was 6 %
/// below that with the reference's blocks in the mean of four such parts, and below it in each.
/// Where all errors count alike, their squares are fewer by another 2 %, and yet the divergence is larger:
/// it is the large values that are cut off then.
#[inline(always)]
fn weights(x: &[i16; 32]) -> [i16; 32] {
    // The largest number is 32,767, so that none is without a magnitude.
    let magnitudes = x.map(i16::wrapping_abs);
    let mean = (dot(&magnitudes, &[1; 32]) / 32) as i16;
    magnitudes.map(|magnitude| (magnitude >> 9) + (mean >> 9))
}

/// A scale as it is stored, and the levels nearest to the values.
struct Block {
    half: [u8; 2],
    q: [i16; 32],
}

impl Block {
    #[inline(always)]
    fn new(values: &[f32; 32], d: f32) -> Block {
        let half = narrow(d);
        let id = 1.0 / widen(half);
        Block { half, q: values.map(|value| nearest(value * id).clamp(LEVELS.lowest, LEVELS.highest)) }
    }

    #[inline(always)]
    fn squared_error(&self, values: &[f32; 32]) -> f32 {
        let d = widen(self.half);
        squared_error(values, &self.q.map(|q| d * f32::from(q)))
    }

    /// Levels are stored with 8 added.
    #[inline(always)]
    fn bytes(&self) -> [u8; 18] {
        q4::block([self.half], &self.q.map(|q| (q - LEVELS.lowest) as u8))
    }
}
