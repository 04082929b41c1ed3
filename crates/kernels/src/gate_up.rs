//! `act = silu(gate_proj x) * (up_proj x)` of one token, in one dispatch: two normalised products and the activation.

use format::layout::TILE;
use gpu::{Access, PlanBuilder, Tensor};

use crate::matvec::{Product, Tiles};
use crate::{Input, Weight};

/// Shapes: `weight` `[2 * intermediate_size, columns]`, gate above up; `act` `[1 or more, intermediate_size]`, whose first
/// row is the token's. `intermediate_size` is a multiple of 4.
/// Panics if they disagree: that is a mistake in our code, not in a model file.
pub fn gate_up<'a>(
    plan: &mut PlanBuilder<'a>,
    weight: &'a Weight,
    input: impl Into<Input<'a>>,
    act: &'a Tensor,
) {
    let intermediate_size = act.shape()[1];
    assert_eq!(weight.shape()[0], 2 * intermediate_size, "gate_up: weight");
    assert_eq!(intermediate_size % TILE, 0, "gate_up: intermediate_size");
    let product = Product {
        name: "gate_up",
        weight,
        rows: 0..intermediate_size,
        input: input.into(),
        tiles: Tiles::Pair { distance: intermediate_size },
        store: vec![include_str!("gate_up.wgsl")],
        constants: Vec::new(),
        outputs: vec![(Access::Write, act)],
    };
    product.dispatch(plan);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{Reads, Stream, assert_close, gpus, run, types, upload, weight};
    use crate::matvec::tests::reference;
    use crate::{StepParams, WeightType};

    /// Every type on every tier. The second row of `act`, another token's, is left alone.
    #[track_caller]
    fn check(intermediate_size: usize, blocks: usize) {
        for gpu in gpus() {
            for (seed, dtype) in types(&gpu, &WeightType::ALL) {
                let columns = (blocks * 32).next_multiple_of(dtype.columns_multiple());
                let (weight, values) = weight(&gpu, seed, dtype, [2 * intermediate_size, columns]);
                let (stream, reads) = (Stream::new(&gpu, seed + 90, columns), Reads::new(&gpu, 1, columns));
                let act = upload(&gpu, "act", [2, intermediate_size], &[]);
                let params = StepParams { seq_len: 1, ..Default::default() };
                let got = run(&gpu, params, &act, |plan| {
                    let input = reads.input(plan, stream.normed());
                    gate_up(plan, &weight, input, &act);
                });

                let rows = reference(&values, &reads.normed(&stream));
                let (gate, up) = rows.split_at(intermediate_size);
                let silu = |(gate, up): (&f32, &f32)| gate / (1.0 + (-gate).exp()) * up;
                let mut expected: Vec<f32> = gate.iter().zip(up).map(silu).collect();
                expected.resize(2 * intermediate_size, 0.0);
                let what = format!("{:?} {dtype:?} [2 x {intermediate_size}, {columns}]", gpu.tier());
                assert_close(&what, &got, &expected, 1e-5);
            }
        }
    }

    #[test]
    fn one_tile() {
        check(4, 1);
    }

    #[test]
    fn tiles_that_fill_no_workgroup() {
        check(84, 5);
    }

    #[test]
    fn smollm2() {
        check(1536, 18);
    }
}
