//! A draw on the GPU: temperature, top-k, top-p, min-p and a seed, fed back to the next step without the CPU.
//!
//! What may be drawn, and how, stands in [`format::sampling`]. For any size of vocabulary, and for flat distributions too,
//! the set is exact to these limits: scores closer than `2^-27` of the temperature count as equal, tokens less likely than
//! `e^-32` of the likeliest are never drawn, and sums of `top_p` are of weights in parts of `2^-31`, so that 128,256 of them
//! are known to 6e-5 of the likeliest's.

use gpu::{Access, Constant, Extent, Kernel, Needs, PlanBuilder, Tensor};

use crate::argmax::{BEST, WORKGROUP_SIZE};
use crate::sampling::{SAMPLING, SamplingTensors};
use crate::step::STEP;

/// Shapes: `scores` `[1, vocab_size]`, `sampled` `[1, ring]`, `tokens` `[1, chunk]`.
/// The id goes to the step's slot of `sampled` and to the front of `tokens`, as [`argmax`](crate::argmax)'s does.
pub fn sample<'a>(
    plan: &mut PlanBuilder<'a>,
    scores: &'a Tensor,
    sampling: &'a SamplingTensors,
    sampled: &'a Tensor,
    tokens: &'a Tensor,
) {
    let tensors = [scores, &sampling.settings, sampled, tokens];
    dispatch(plan, "sample", include_str!("sample_one.wgsl"), &tensors, Extent::Fixed(1));
}

/// The same after every token of a step, from `scores`, `[chunk, vocab_size]`, into `choices`, `[1, chunk]`: what
/// [`sample`] would draw after each of them. Nothing is fed back.
pub fn sample_each<'a>(
    plan: &mut PlanBuilder<'a>,
    scores: &'a Tensor,
    sampling: &'a SamplingTensors,
    choices: &'a Tensor,
) {
    assert_eq!(choices.shape(), [1, scores.shape()[0]], "sample_each: choices");
    let tensors = [scores, &sampling.settings, choices];
    dispatch(plan, "sample_each", include_str!("sample_each.wgsl"), &tensors, Extent::Tokens(1));
}

/// `goes` is the piece that says where an id goes, `rows` how many are drawn from.
fn dispatch<'a>(
    plan: &mut PlanBuilder<'a>,
    name: &'static str,
    goes: &'static str,
    tensors: &[&'a Tensor],
    rows: Extent,
) {
    const BINDINGS: [Access; 4] = [Access::Read, Access::Read, Access::Write, Access::Write];
    let kernel = Kernel {
        name,
        wgsl: vec![
            STEP,
            SAMPLING,
            BEST,
            include_str!("sample_cut.wgsl"),
            include_str!("sample_noise.wgsl"),
            goes,
            include_str!("sample.wgsl"),
        ],
        bindings: BINDINGS.get(..tensors.len()).unwrap_or(&BINDINGS).to_vec(),
        needs: Needs::Nothing,
    };
    // A lane for each bin of a histogram.
    assert_eq!(WORKGROUP_SIZE, 256, "sample: workgroup");
    let vocab_size = tensors[0].shape()[1] as u32;
    let constants =
        [Constant::U32("WORKGROUP_SIZE", WORKGROUP_SIZE), Constant::U32("VOCAB_SIZE", vocab_size)];
    let one = Extent::Fixed(1);
    plan.dispatch(kernel, &constants, tensors, [rows, one, one]);
}

#[cfg(test)]
mod tests;
