//! RMSNorm: `out = x / sqrt(mean(x²) + eps) * weight`, row by row.
//!
//! Llama runs it before attention, before the MLP, and once more before `lm_head`.

use gpu::{Access, Constant, Extent, Kernel, Needs, PlanBuilder, Tensor};

use crate::step::STEP;

const WORKGROUP_SIZE: u32 = 64;

/// Shapes: `x` and `out` `[chunk, hidden_size]`, `weight` `[1, hidden_size]`.
/// Panics if they disagree: that is a mistake in our code, not in a model file.
pub fn rms_norm<'a>(
    plan: &mut PlanBuilder<'a>,
    x: &'a Tensor,
    weight: &'a Tensor,
    eps: f32,
    out: &'a Tensor,
) {
    let [_, hidden_size] = x.shape();
    assert_eq!(weight.shape(), [1, hidden_size], "rms_norm: weight");
    assert_eq!(out.shape(), x.shape(), "rms_norm: out");

    let kernel = Kernel {
        name: "rms_norm",
        wgsl: vec![STEP, include_str!("reduce.wgsl"), include_str!("rms_norm.wgsl")],
        bindings: vec![Access::Read, Access::Read, Access::Write],
        needs: Needs::Nothing,
    };
    let constants = [
        Constant::U32("WORKGROUP_SIZE", WORKGROUP_SIZE),
        Constant::U32("HIDDEN_SIZE", hidden_size as u32),
        Constant::F32("EPS", eps),
    ];
    plan.dispatch(
        kernel,
        &constants,
        &[x, weight, out],
        [Extent::Tokens(1), Extent::Fixed(1), Extent::Fixed(1)],
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::StepParams;
    use crate::check::{assert_close, gpu, random, run, upload};

    const EPS: f32 = 0.5; // Far above Llama's 1e-5, so that leaving it out shows.

    fn reference(x: &[f32], weight: &[f32]) -> Vec<f32> {
        let mut out = Vec::new();
        for row in x.chunks_exact(weight.len()) {
            let mean_square = row.iter().map(|v| v * v).sum::<f32>() / row.len() as f32;
            let scale = 1.0 / (mean_square + EPS).sqrt();
            out.extend(row.iter().zip(weight).map(|(v, w)| v * scale * w));
        }
        out
    }

    #[track_caller]
    fn check(seq_len: usize, hidden_size: usize) {
        let (x, weight) = (random(1, seq_len * hidden_size), random(2, hidden_size));
        let gpu = gpu();
        let x_gpu = upload(&gpu, "x", [seq_len, hidden_size], &x);
        let weight_gpu = upload(&gpu, "weight", [1, hidden_size], &weight);
        let out = upload(&gpu, "out", [seq_len, hidden_size], &[]);
        let params = StepParams { seq_len: seq_len as u32, ..Default::default() };
        let got = run(&gpu, params, &out, |plan| rms_norm(plan, &x_gpu, &weight_gpu, EPS, &out));
        assert_close("rms_norm", &got, &reference(&x, &weight), 1e-5);
    }

    #[test]
    fn one_row_of_llama_3_1_8b() {
        check(1, 4096);
    }

    #[test]
    fn rows_do_not_mix() {
        check(3, 1000); // Not a multiple of the workgroup.
    }

    #[test]
    fn row_shorter_than_the_workgroup() {
        check(2, 5);
    }
}
