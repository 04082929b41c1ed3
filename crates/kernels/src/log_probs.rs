//! Log-probabilities of the chosen token and of the likeliest ones, in the model's own distribution.

use gpu::{Access, Constant, Extent, Kernel, Needs, PlanBuilder, Tensor};

use crate::argmax::{BEST, WORKGROUP_SIZE};
use crate::sampling::{SAMPLING, SamplingTensors};
use crate::step::STEP;

/// Shapes: `logits` `[1, vocab_size]`, `sampled` `[1, ring]`, with the step's choice in it.
/// The step's row of `sampling.log_probs` gets the chosen id and its log-probability, then those of as many of the
/// likeliest as the settings ask for; where the vocabulary has fewer, ids beyond it.
pub fn log_probs<'a>(
    plan: &mut PlanBuilder<'a>,
    logits: &'a Tensor,
    sampling: &'a SamplingTensors,
    sampled: &'a Tensor,
) {
    let kernel = Kernel {
        name: "log_probs",
        wgsl: vec![STEP, SAMPLING, BEST, include_str!("reduce.wgsl"), include_str!("log_probs.wgsl")],
        bindings: vec![Access::Read, Access::Read, Access::Read, Access::Write],
        needs: Needs::Nothing,
    };
    let constants = [
        Constant::U32("WORKGROUP_SIZE", WORKGROUP_SIZE),
        Constant::U32("VOCAB_SIZE", logits.shape()[1] as u32),
        Constant::U32("MOST_LOG_PROBS", format::sampling::MOST_LOG_PROBS),
    ];
    let one = Extent::Fixed(1);
    let tensors = [logits, &sampling.settings, sampled, &sampling.log_probs];
    plan.dispatch(kernel, &constants, &tensors, [one, one, one]);
}

#[cfg(test)]
mod tests {
    use format::Sampling;
    use pollster::block_on;

    use super::*;
    use crate::check::{gpu, random, run, upload};
    use crate::{LOG_PROBS_ROW, NOT_A_NUMBER, StepParams};

    const SLOT: usize = 2;

    /// The row that the GPU writes: pairs of an id and a float's bits.
    fn row(logits: &[f32], chosen: u32, top: u32) -> Vec<(u32, f32)> {
        let gpu = gpu();
        let logits_gpu = upload(&gpu, "logits", [1, logits.len()], logits);
        let sampled = upload(&gpu, "sampled", [1, 4], &[0.0; 4]);
        gpu.write(&sampled, SLOT, &[chosen]);
        let tensors =
            block_on(gpu.allocate("sampling", |make| SamplingTensors::new(make, logits.len(), 8, 4)))
                .unwrap();
        tensors.write(&gpu, &Sampling { log_probs: Some(top), ..Sampling::default() }, &[]);
        let params = StepParams { seq_len: 1, slot: SLOT as u32, ..Default::default() };
        let got = run(&gpu, params, &tensors.log_probs, |plan| {
            log_probs(plan, &logits_gpu, &tensors, &sampled);
        });
        let (before, rest) = got.split_at(SLOT * LOG_PROBS_ROW);
        let (row, after) = rest.split_at(LOG_PROBS_ROW);
        let zero = |words: &[f32]| words.iter().all(|word| word.to_bits() == 0);
        assert!(zero(before) && zero(after) && zero(&row[2 + 2 * top as usize..]), "other slots");
        row[..2 + 2 * top as usize].chunks_exact(2).map(|pair| (pair[0].to_bits(), pair[1])).collect()
    }

    #[track_caller]
    fn check(logits: &[f32], chosen: u32, top: u32) {
        let expected = cpu::sampler::log_probs(logits, chosen, top);
        let expected = std::iter::once((chosen, expected.chosen)).chain(expected.top);
        let got = row(logits, chosen, top);
        for (index, (got, expected)) in got.into_iter().zip(expected).enumerate() {
            assert_eq!(got.0, expected.0, "place {index} of {} logits", logits.len());
            // A sum of 128,256 floats in a tree of 256: its relative error is far below 501 roundings of 6e-8.
            let bound = 1e-5 * expected.1.abs().max(1.0);
            assert!((got.1 - expected.1).abs() <= bound, "place {index}: got {got:?}, expected {expected:?}");
        }
    }

    fn logits(seed: u32, len: usize) -> Vec<f32> {
        random(seed, len).into_iter().map(|logit| logit * 9.0).collect()
    }

    #[test]
    fn the_chosen_and_the_likeliest_of_vocabularies_of_any_size() {
        for (len, chosen, top) in
            [(1, 0, 1), (20, 19, 20), (333, 7, 20), (1000, 999, 0), (128_256, 65_000, 20)]
        {
            check(&logits(len as u32, len), chosen, top);
        }
    }

    #[test]
    fn of_equals_the_lower_id_comes_first() {
        let mut values = logits(1, 700);
        for id in [699, 3, 300, 259] {
            values[id] = 20.0;
        }
        check(&values, 300, 6);
        assert_eq!(
            row(&values, 3, 5)[1..5].iter().map(|(id, _)| *id).collect::<Vec<_>>(),
            [3, 259, 300, 699]
        );
        check(&[0.0; 300], 5, 20);
    }

    #[test]
    fn infinite_logits_are_as_high_and_as_low_as_any() {
        let mut values = logits(2, 300);
        values[40] = f32::NEG_INFINITY;
        check(&values, 40, 3);
        values[9] = f32::INFINITY;
        check(&values, 9, 1);
    }

    #[test]
    fn what_is_not_a_number_or_not_there_has_an_id_that_is_none() {
        let mut values = logits(3, 300);
        values[299] = f32::NAN;
        assert_eq!(row(&values, NOT_A_NUMBER, 3)[0].0, NOT_A_NUMBER);
        let few = row(&[1.0, 2.0], 0, 4);
        assert_eq!(few.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [0, 1, 0, 2, 2]);
    }
}
