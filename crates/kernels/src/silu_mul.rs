//! The gate of the MLP: `out = silu(gate) * up`.

use gpu::{Access, Constant, Extent, Kernel, Needs, PlanBuilder, Tensor};

use crate::step::STEP;

const WORKGROUP_SIZE: u32 = 64;

/// Shapes: `gate_up` `[chunk, 2 * intermediate_size]`, gate first; `out` `[chunk, intermediate_size]`.
/// Panics if they disagree: that is a mistake in our code, not in a model file.
pub fn silu_mul<'a>(plan: &mut PlanBuilder<'a>, gate_up: &'a Tensor, out: &'a Tensor) {
    let [chunk, intermediate_size] = out.shape();
    assert_eq!(gate_up.shape(), [chunk, 2 * intermediate_size], "silu_mul: gate_up");
    assert_eq!(intermediate_size % 4, 0, "silu_mul: intermediate_size");

    let kernel = Kernel {
        name: "silu_mul",
        wgsl: vec![STEP, include_str!("silu_mul.wgsl")],
        bindings: vec![Access::Read, Access::Write],
        needs: Needs::Nothing,
    };
    let constants = [
        Constant::U32("WORKGROUP_SIZE", WORKGROUP_SIZE),
        Constant::U32("INTERMEDIATE_SIZE", intermediate_size as u32),
    ];
    let groups = (intermediate_size as u32 / 4).div_ceil(WORKGROUP_SIZE);
    plan.dispatch(
        kernel,
        &constants,
        &[gate_up, out],
        [Extent::Fixed(groups), Extent::Tokens(1), Extent::Fixed(1)],
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::StepParams;
    use crate::check::{assert_close, gpu, random, run, upload};

    fn reference(gate_up: &[f32], intermediate_size: usize) -> Vec<f32> {
        let silu = |x: f32| x / (1.0 + (-x).exp());
        let row = |row: &[f32]| {
            let (gate, up) = row.split_at(intermediate_size);
            gate.iter().zip(up).map(|(gate, up)| silu(*gate) * up).collect::<Vec<_>>()
        };
        gate_up.chunks_exact(2 * intermediate_size).flat_map(row).collect()
    }

    #[track_caller]
    fn check(seq_len: usize, intermediate_size: usize) {
        let gpu = gpu();
        // Up to ±50, so that exp both overflows nothing and matters.
        let gate_up: Vec<f32> =
            random(1, seq_len * 2 * intermediate_size).into_iter().map(|value| value * 50.0).collect();
        let gate_up_gpu = upload(&gpu, "gate_up", [seq_len, 2 * intermediate_size], &gate_up);
        let out = upload(&gpu, "out", [seq_len, intermediate_size], &vec![0.0; seq_len * intermediate_size]);

        let params = StepParams { seq_len: seq_len as u32, ..Default::default() };
        let got = run(&gpu, params, &out, |plan| silu_mul(plan, &gate_up_gpu, &out));
        assert_close("silu_mul", &got, &reference(&gate_up, intermediate_size), 1e-5);
    }

    #[test]
    fn one_quad() {
        check(1, 4);
    }

    #[test]
    fn rows_do_not_mix() {
        check(3, 300);
    }
}
