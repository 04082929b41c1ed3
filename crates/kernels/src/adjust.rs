//! Logits as a person's settings change them: biases, penalties for what was there, a mask. See [`format::sampling`].

use gpu::{Access, Constant, Extent, Kernel, Needs, PlanBuilder, Tensor};

use crate::argmax::WORKGROUP_SIZE;
use crate::sampling::{SAMPLING, SamplingTensors};
use crate::step::STEP;

/// Shapes: `logits` `[1, vocab_size]`, `tokens` `[1, chunk]`. The result is `sampling.scores`.
/// The step's tokens join the history; those before them must be there.
pub fn adjust<'a>(
    plan: &mut PlanBuilder<'a>,
    logits: &'a Tensor,
    tokens: &'a Tensor,
    sampling: &'a SamplingTensors,
) {
    assert_eq!(logits.shape(), sampling.scores.shape(), "adjust: logits");

    let SamplingTensors { settings, biases, mask, history, counts, scores, .. } = sampling;
    let kernel = Kernel {
        name: "adjust",
        wgsl: vec![STEP, SAMPLING, include_str!("adjust.wgsl")],
        bindings: vec![
            Access::Read,
            Access::Read,
            Access::Read,
            Access::Read,
            Access::Read,
            Access::Write,
            Access::Write,
            Access::Write,
        ],
        needs: Needs::Nothing,
    };
    let constants = [
        Constant::U32("WORKGROUP_SIZE", WORKGROUP_SIZE),
        Constant::U32("VOCAB_SIZE", logits.shape()[1] as u32),
    ];
    let one = Extent::Fixed(1);
    let tensors = [logits, tokens, settings, biases, mask, history, counts, scores];
    plan.dispatch(kernel, &constants, &tensors, [one, one, one]);
}

#[cfg(test)]
mod tests {
    use format::{Penalties, Sampling};
    use pollster::block_on;

    use super::*;
    use crate::StepParams;
    use crate::check::{assert_close, gpu, random, random_words, run, upload};

    const CONTEXT: usize = 1200;

    /// Ids of which many come more than once.
    fn ids(len: usize, vocab_size: usize) -> Vec<u32> {
        random_words(9, len).into_iter().map(|word| word % (vocab_size as u32).min(700)).collect()
    }

    /// A step of `seq_len` tokens behind `before` others, twice: counts must not add up.
    #[track_caller]
    fn check(sampling: &Sampling, logits: &[f32], before: usize, seq_len: usize) {
        let vocab_size = logits.len();
        let gpu = gpu();
        let seen = ids(before + seq_len, vocab_size);
        let logits_gpu = upload(&gpu, "logits", [1, vocab_size], logits);
        let tokens = upload(&gpu, "tokens", [1, seq_len], &vec![0.0; seq_len]);
        gpu.write(&tokens, 0, &seen[before..]);
        let tensors =
            block_on(gpu.allocate("sampling", |make| SamplingTensors::new(make, vocab_size, CONTEXT, 4)))
                .unwrap();
        tensors.write(&gpu, sampling, &seen[..before]);

        let params = StepParams {
            position: before as u32,
            seq_len: seq_len as u32,
            row: seq_len as u32 - 1,
            ..Default::default()
        };
        let expected = cpu::sampler::scores(logits, sampling, &seen);
        let what = format!("{vocab_size} tokens, {seq_len} behind {before}, {sampling:?}");
        for _ in 0..2 {
            let got = run(&gpu, params, &tensors.scores, |plan| adjust(plan, &logits_gpu, &tokens, &tensors));
            // A fused multiplication and addition rounds once where two operations round twice.
            assert_close(&what, &got, &expected, 1e-6);
        }
        let counts = block_on(gpu.read(&tensors.counts)).unwrap();
        assert_eq!(counts, vec![0; vocab_size], "{what}: counts are left");
    }

    fn logits(len: usize) -> Vec<f32> {
        random(5, len).into_iter().map(|logit| logit * 8.0).collect()
    }

    fn penalties(repetition: f32, frequency: f32, presence: f32, window: u32) -> Sampling {
        let penalties = Penalties { repetition, frequency, presence, window };
        Sampling { penalties, ..Sampling::default() }
    }

    #[test]
    fn each_penalty_alone_and_all_together() {
        for (repetition, frequency, presence) in
            [(1.5, 0.0, 0.0), (0.5, 0.0, 0.0), (1.0, 0.25, 0.0), (1.0, 0.0, -1.5), (1.25, -0.5, 0.75)]
        {
            check(&penalties(repetition, frequency, presence, u32::MAX), &logits(1000), 300, 1);
        }
    }

    #[test]
    fn the_window_ends_with_the_step_and_may_begin_before_anything_was_there() {
        for (before, seq_len) in [(0, 1), (0, 7), (1, 300), (899, 300), (1199, 1)] {
            for window in [1, 5, 256, 1200, 5000] {
                check(&penalties(1.5, 0.25, 0.5, window), &logits(333), before, seq_len);
            }
        }
    }

    #[test]
    fn biases_come_before_penalties_and_the_mask_after_them() {
        let vocab_size = 333;
        let logit_bias = vec![(332, 100.0), (0, -100.0), (31, 2.5), (64, -0.5)];
        // Every third token, the last one among them.
        let allowed = (0..vocab_size as u32).filter(|id| id % 3 == 2);
        let mut mask = vec![0; 11];
        allowed.for_each(|id| mask[id as usize / 32] |= 1u32 << (id % 32));
        let plain = penalties(3.0, 0.25, 0.5, 400);
        for (logit_bias, mask) in
            [(logit_bias.clone(), None), (Vec::new(), Some(mask.clone())), (logit_bias, Some(mask))]
        {
            let sampling = Sampling { logit_bias, mask, ..plain.clone() };
            check(&sampling, &logits(vocab_size), 500, 3);
        }
        let most: Vec<(u32, f32)> = (0..1024).map(|id| (id, id as f32 / 16.0)).collect();
        check(&Sampling { logit_bias: most, ..Sampling::default() }, &logits(2000), 0, 1);
    }

    /// A mask allows what it says, and nothing of what one before it has said.
    #[test]
    fn a_mask_that_ends_early_allows_nothing_behind_its_end() {
        let gpu = gpu();
        let logits_gpu = upload(&gpu, "logits", [1, 100], &logits(100));
        let tokens = upload(&gpu, "tokens", [1, 1], &[0.0]);
        let tensors =
            block_on(gpu.allocate("sampling", |make| SamplingTensors::new(make, 100, 8, 4))).unwrap();
        let params = StepParams { seq_len: 1, ..Default::default() };
        for mask in [vec![!0; 4], vec![0b101], vec![0, 1], vec![]] {
            let sampling = Sampling { mask: Some(mask), ..Sampling::default() };
            tensors.write(&gpu, &sampling, &[]);
            let got = run(&gpu, params, &tensors.scores, |plan| adjust(plan, &logits_gpu, &tokens, &tensors));
            assert_eq!(got, cpu::sampler::scores(&logits(100), &sampling, &[0]), "{sampling:?}");
        }
    }

    #[test]
    fn a_logit_that_is_not_a_number_stays_one_and_an_infinite_one_stays_allowed() {
        let gpu = gpu();
        let mut values = logits(70);
        (values[3], values[4], values[5]) = (f32::NAN, f32::NEG_INFINITY, f32::INFINITY);
        let logits_gpu = upload(&gpu, "logits", [1, 70], &values);
        let tokens = upload(&gpu, "tokens", [1, 1], &[f32::from_bits(3)]);
        let tensors =
            block_on(gpu.allocate("sampling", |make| SamplingTensors::new(make, 70, 8, 4))).unwrap();
        let sampling = Sampling {
            logit_bias: vec![(3, 5.0)],
            mask: Some(vec![0b11_0000, 0, 0]),
            ..penalties(2.0, 0.5, 0.5, 8)
        };
        tensors.write(&gpu, &sampling, &[3, 4]);
        let params = StepParams { position: 2, seq_len: 1, ..Default::default() };
        let got = run(&gpu, params, &tensors.scores, |plan| adjust(plan, &logits_gpu, &tokens, &tensors));
        assert!(got[3].is_nan(), "{}", got[3]);
        assert_eq!((got[4], got[5]), (-1e38, f32::INFINITY));
        assert!(got[0] == -3.4e38 && got[69] == -3.4e38, "{got:?}");
    }
}
