//! `Q4_0`: one scale for 32 weights, with levels of -8 to 7.
//!
//! The levels are the reference's, and the scale is fitted to them: `d = Σ x q / Σ q²`. To search further for less error
//! costs a whole model more. Of SmolLM2-135M, all matrices quantized, the next token's probabilities diverge (KL, on
//! 1,024 tokens of `tests/texts/prose.txt`) by
//!
//! | scale | nats | perplexity |
//! |---|---|---|
//! | the reference's | 0.2188 | 22.64 |
//! | fitted to the reference's levels | 0.2128 | 22.60 |
//! | fitted, rounded anew, and fitted again | 0.2155 | 22.76 |
//! | the best of five places of the largest value | 0.2161 | 22.95 |
//!
//! Errors that count more the larger the value is, or by the gains of the norm before them, were worse still.
//! That a few matrices of a model lose less by the larger search had misled us.

use super::{CLEARLY, better, nearest, squared_error};
use crate::blocks::float::{narrow, widen};
use crate::blocks::q4;
use crate::blocks::range::largest;

const LOWEST: i16 = -8;
const HIGHEST: i16 = 7;

pub(in crate::blocks) fn q4_0(values: &[f32; 32]) -> [u8; 18] {
    let plain = Block::new(values, largest(values) / f32::from(LOWEST));
    let fitted = Block { half: narrow(plain.best_scale(values)), q: plain.q };
    if fitted.squared_error(values) < CLEARLY * plain.squared_error(values) {
        fitted.bytes()
    } else {
        better(values, fitted.bytes(), q4::pack_q4_0(values), q4::q4_0)
    }
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
        Block { half, q: values.map(|value| nearest(value * id).clamp(LOWEST, HIGHEST)) }
    }

    /// Of all scales for these levels the one with the least squared error; no number if all levels are zero.
    #[inline(always)]
    fn best_scale(&self, values: &[f32; 32]) -> f32 {
        let (mut xq, mut qq) = ([0.0; 8], [0.0; 8]);
        for (values, q) in values.as_chunks::<8>().0.iter().zip(self.q.as_chunks::<8>().0) {
            for (((xq, qq), value), q) in xq.iter_mut().zip(&mut qq).zip(values).zip(q.map(f32::from)) {
                *xq += value * q;
                *qq += q * q;
            }
        }
        xq.iter().sum::<f32>() / qq.iter().sum::<f32>()
    }

    #[inline(always)]
    fn squared_error(&self, values: &[f32; 32]) -> f32 {
        let d = widen(self.half);
        squared_error(values, &self.q.map(|q| d * f32::from(q)))
    }

    /// Levels are stored with 8 added.
    #[inline(always)]
    fn bytes(&self) -> [u8; 18] {
        q4::block([self.half], &self.q.map(|q| (q - LOWEST) as u8))
    }
}
