//! Greedy choice on the GPU: the id of the highest logit, fed back to the next step without the CPU.

use gpu::{Access, Constant, Extent, Kernel, Needs, PlanBuilder, Tensor};

use crate::step::STEP;

pub(crate) const WORKGROUP_SIZE: u32 = 256;

/// What finds the highest of a row of logits.
pub(crate) const BEST: &str = include_str!("best.wgsl");

/// What stands in the place of an id where a logit was not a number. Mirrors `best.wgsl`.
pub const NOT_A_NUMBER: u32 = u32::MAX;

/// Shapes: `logits` `[1, vocab_size]`, `sampled` `[1, ring]`, `tokens` `[1, chunk]`.
/// The id goes to the step's slot of `sampled` and to the front of `tokens`.
pub fn argmax<'a>(plan: &mut PlanBuilder<'a>, logits: &'a Tensor, sampled: &'a Tensor, tokens: &'a Tensor) {
    let kernel = Kernel {
        name: "argmax",
        wgsl: vec![STEP, BEST, include_str!("argmax.wgsl")],
        bindings: vec![Access::Read, Access::Write, Access::Write],
        needs: Needs::Nothing,
    };
    let constants = [
        Constant::U32("WORKGROUP_SIZE", WORKGROUP_SIZE),
        Constant::U32("VOCAB_SIZE", logits.shape()[1] as u32),
    ];
    let one = Extent::Fixed(1);
    plan.dispatch(kernel, &constants, &[logits, sampled, tokens], [one, one, one]);
}

#[cfg(test)]
mod tests {
    use format::sampling::{MASKED, MOST};

    use super::*;
    use crate::StepParams;
    use crate::check::{gpu, random, run, upload};

    /// The id lands in slot 2 of the ring and in front of the tokens, and nowhere else.
    #[track_caller]
    fn check(logits: &[f32], expected: u32) {
        let gpu = gpu();
        let logits_gpu = upload(&gpu, "logits", [1, logits.len()], logits);
        let sampled = upload(&gpu, "sampled", [1, 4], &[0.0; 4]);
        let tokens = upload(&gpu, "tokens", [1, 3], &[0.0; 3]);
        let params = StepParams { seq_len: 1, slot: 2, ..Default::default() };
        let ring = run(&gpu, params, &sampled, |plan| argmax(plan, &logits_gpu, &sampled, &tokens));
        let ring: Vec<u32> = ring.into_iter().map(f32::to_bits).collect();
        assert_eq!(ring, [0, 0, expected, 0], "ring, {} logits", logits.len());
        let tokens = pollster::block_on(gpu.read(&tokens)).unwrap();
        assert_eq!(tokens, [expected, 0, 0], "tokens, {} logits", logits.len());
    }

    fn with(len: usize, changes: &[(usize, f32)]) -> Vec<f32> {
        let mut logits = random(1, len);
        for (index, value) in changes {
            logits[*index] = *value;
        }
        logits
    }

    #[test]
    fn the_highest_wins_wherever_it_stands() {
        check(&[-3.0], 0);
        check(&with(49152, &[(49151, 7.0)]), 49151);
        check(&with(1000, &[(255, 7.0), (256, 7.5), (999, 7.25)]), 256);
        check(&with(300, &[(0, 2.0)]), 0);
    }

    #[test]
    fn the_lower_of_two_equals_wins() {
        check(&with(700, &[(20, 5.0), (20 + 256, 5.0), (699, 5.0)]), 20);
        check(&with(700, &[(300, 5.0), (21, 5.0)]), 21);
    }

    #[test]
    fn logits_may_all_be_low_or_infinite() {
        check(&[f32::NEG_INFINITY; 10], 0);
        check(&with(600, &[(511, f32::INFINITY)]), 511);
    }

    #[test]
    fn what_is_masked_is_never_chosen() {
        for len in [1, 7, 600] {
            let mut scores = vec![MASKED; len];
            check(&scores, NOT_A_NUMBER);
            scores[len - 1] = -MOST;
            check(&scores, len as u32 - 1);
        }
    }

    #[test]
    fn a_logit_that_is_not_a_number_is_reported() {
        check(&with(600, &[(0, f32::NAN)]), NOT_A_NUMBER);
        check(&with(600, &[(599, f32::NAN), (3, f32::INFINITY)]), NOT_A_NUMBER);
        check(&with(600, &[(3, f32::NAN), (259, f32::INFINITY)]), NOT_A_NUMBER);
    }
}
