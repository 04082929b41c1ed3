//! What the next product wants of a row of the residual stream: `x * gain`, and sums of `x²`.
//!
//! In decoding, whoever computes the stream leaves both beside it. After a prefill it is done once, for the one row
//! whose logits are wanted.

use gpu::{Access, Constant, Extent, Kernel, Needs, PlanBuilder, Tensor};

use crate::Stream;
use crate::step::STEP;

const WORKGROUP_SIZE: u32 = 64;

/// Shapes: `gain` `[1, hidden_size]`; of `stream.hidden` the step's wanted row is read.
/// Panics if they disagree: that is a mistake in our code, not in a model file.
pub fn weigh<'a>(plan: &mut PlanBuilder<'a>, gain: &'a Tensor, stream: Stream<'a>) {
    stream.check();
    let hidden_size = stream.hidden.shape()[1];
    assert_eq!(gain.shape(), [1, hidden_size], "weigh: gain");
    let kernel = Kernel {
        name: "weigh",
        wgsl: vec![STEP, include_str!("weigh.wgsl")],
        bindings: vec![Access::Read, Access::Read, Access::Write, Access::Write],
        needs: Needs::Nothing,
    };
    let quads = hidden_size as u32 / 4;
    let constants = [Constant::U32("WORKGROUP_SIZE", WORKGROUP_SIZE), Constant::U32("QUADS", quads)];
    let tensors = [stream.hidden, gain, stream.weighted, stream.squares];
    let one = Extent::Fixed(1);
    plan.dispatch(kernel, &constants, &tensors, [Extent::Fixed(quads.div_ceil(WORKGROUP_SIZE)), one, one]);
}

#[cfg(test)]
mod tests {
    use pollster::block_on;

    use super::*;
    use crate::StepParams;
    use crate::check::{assert_close, gpu, random, run, upload};

    #[track_caller]
    fn check(seq_len: usize, hidden_size: usize) {
        let gpu = gpu();
        let (x, gain) = (random(1, seq_len * hidden_size), random(2, hidden_size));
        let hidden = upload(&gpu, "hidden", [seq_len, hidden_size], &x);
        let gain_gpu = upload(&gpu, "gain", [1, hidden_size], &gain);
        let weighted = upload(&gpu, "weighted", [1, hidden_size], &[]);
        let squares = upload(&gpu, "squares", [1, hidden_size / 4], &[]);
        let stream = Stream { hidden: &hidden, weighted: &weighted, squares: &squares };
        let row = seq_len - 1;
        let params = StepParams { seq_len: seq_len as u32, row: row as u32, ..Default::default() };
        let got = run(&gpu, params, &weighted, |plan| weigh(plan, &gain_gpu, stream));
        let x = &x[row * hidden_size..];
        let expected: Vec<f32> = x.iter().zip(&gain).map(|(x, gain)| x * gain).collect();
        assert_close("weighted", &got, &expected, 1e-6);
        let sums: Vec<f32> = x.chunks_exact(4).map(|quad| quad.iter().map(|x| x * x).sum()).collect();
        assert_close("squares", &block_on(gpu.read_f32(&squares)).unwrap(), &sums, 1e-6);
    }

    #[test]
    fn the_wanted_row() {
        check(1, 32);
        check(3, 4096);
        check(5, 576);
    }
}
