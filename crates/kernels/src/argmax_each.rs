//! Greedy choice after every token of a step, for measuring: nothing is fed back.

use gpu::{Access, Constant, Extent, Kernel, Needs, PlanBuilder, Tensor};

use crate::argmax::{BEST, WORKGROUP_SIZE};
use crate::step::STEP;

/// Shapes: `logits` `[chunk, vocab_size]`, `choices` `[1, chunk]`. Ids as [`argmax`](crate::argmax) chooses them.
pub fn argmax_each<'a>(plan: &mut PlanBuilder<'a>, logits: &'a Tensor, choices: &'a Tensor) {
    let [chunk, vocab_size] = logits.shape();
    assert_eq!(choices.shape(), [1, chunk], "argmax_each: choices");

    let kernel = Kernel {
        name: "argmax_each",
        wgsl: vec![STEP, BEST, include_str!("argmax_each.wgsl")],
        bindings: vec![Access::Read, Access::Write],
        needs: Needs::Nothing,
    };
    let constants =
        [Constant::U32("WORKGROUP_SIZE", WORKGROUP_SIZE), Constant::U32("VOCAB_SIZE", vocab_size as u32)];
    let one = Extent::Fixed(1);
    plan.dispatch(kernel, &constants, &[logits, choices], [Extent::Tokens(1), one, one]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{gpu, random, run, upload};
    use crate::{NOT_A_NUMBER, StepParams};

    /// The highest of each row. The last row of `logits` is of no token, and gets no choice.
    #[test]
    fn rows_do_not_mix() {
        for (seq_len, vocab_size) in [(1, 5), (3, 1000), (9, 333)] {
            let mut logits = random(7, (seq_len + 1) * vocab_size);
            let mut expected: Vec<u32> = Vec::new();
            for row in 0..seq_len {
                let best = (row * 271 + 3) % vocab_size;
                logits[row * vocab_size + best] = 2.0 + row as f32;
                expected.push(best as u32);
            }
            if seq_len > 2 {
                logits[vocab_size + 4] = f32::NAN;
                expected[1] = NOT_A_NUMBER;
            }
            expected.push(0);
            let gpu = gpu();
            let logits_gpu = upload(&gpu, "logits", [seq_len + 1, vocab_size], &logits);
            let choices = upload(&gpu, "choices", [1, seq_len + 1], &vec![0.0; seq_len + 1]);
            let params = StepParams { seq_len: seq_len as u32, ..Default::default() };
            let got = run(&gpu, params, &choices, |plan| argmax_each(plan, &logits_gpu, &choices));
            let got: Vec<u32> = got.into_iter().map(f32::to_bits).collect();
            assert_eq!(got, expected, "{seq_len} rows of {vocab_size}");
        }
    }
}
