//! Activations in another order: `out[t, k] = x[t, order[k]]`.
//!
//! Weights that GPTQ quantized in the order of importance are stored so, and are multiplied with what this gathers.
//! A product that looks up each activation itself would do so for every row; this does it once for all rows.

use gpu::{Access, Constant, Extent, Kernel, Needs, PlanBuilder, Tensor};

use crate::step::STEP;

const WORKGROUP_SIZE: u32 = 64;

/// Shapes: `x` `[chunk, columns]`, or `[1, columns]` for a single row whatever the step's `seq_len`; `order`
/// `[1, columns]`, u32, each below `columns`; `out` `[at least as many, columns]`.
/// Panics if they disagree: that is a mistake in our code, not in a model file.
pub fn gather<'a>(plan: &mut PlanBuilder<'a>, x: &'a Tensor, order: &'a Tensor, out: &'a Tensor) {
    let [chunk, columns] = x.shape();
    assert_eq!(order.shape(), [1, columns], "gather: order");
    assert_eq!(out.shape()[1], columns, "gather: out");
    assert!(out.shape()[0] >= chunk, "gather: chunk");

    let kernel = Kernel {
        name: "gather",
        wgsl: vec![STEP, include_str!("gather.wgsl")],
        bindings: vec![Access::Read, Access::Read, Access::Write],
        needs: Needs::Nothing,
    };
    let constants =
        [Constant::U32("WORKGROUP_SIZE", WORKGROUP_SIZE), Constant::U32("COLUMNS", columns as u32)];
    let groups = (columns as u32).div_ceil(WORKGROUP_SIZE);
    let tokens = if chunk == 1 { Extent::Fixed(1) } else { Extent::Tokens(1) };
    plan.dispatch(kernel, &constants, &[x, order, out], [Extent::Fixed(groups), tokens, Extent::Fixed(1)]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::StepParams;
    use crate::check::{assert_close, gpu, random, random_words, run, upload};

    fn reference(x: &[f32], order: &[u32]) -> Vec<f32> {
        let row = |row: &[f32]| order.iter().map(|k| row[*k as usize]).collect::<Vec<_>>();
        x.chunks_exact(order.len()).flat_map(row).collect()
    }

    /// `x` has `chunk` rows; `out` has one more, and keeps what is in those that are not of the step.
    #[track_caller]
    fn check(seq_len: usize, chunk: usize, order: &[u32]) {
        let gpu = gpu();
        let columns = order.len();
        let (x, before) = (random(1, chunk * columns), random(2, (chunk + 1) * columns));
        let x_gpu = upload(&gpu, "x", [chunk, columns], &x);
        let order_gpu = upload(&gpu, "order", [1, columns], &vec![0.0; columns]);
        gpu.write(&order_gpu, 0, order);
        let out = upload(&gpu, "out", [chunk + 1, columns], &before);

        let params = StepParams { seq_len: seq_len as u32, ..Default::default() };
        let got = run(&gpu, params, &out, |plan| gather(plan, &x_gpu, &order_gpu, &out));

        let mut expected = reference(&x[..seq_len.min(chunk) * columns], order);
        expected.extend(&before[expected.len()..]);
        assert_close(&format!("{seq_len} of [{chunk}, {columns}]"), &got, &expected, 0.0);
    }

    /// All columns, shuffled.
    fn shuffled(columns: u32) -> Vec<u32> {
        let mut order: Vec<u32> = (0..columns).collect();
        for (i, word) in random_words(3, columns as usize).into_iter().enumerate() {
            order.swap(i, word as usize % columns as usize);
        }
        order
    }

    #[test]
    fn one_token_of_one_column() {
        check(1, 1, &[0]);
    }

    #[test]
    fn tokens_do_not_mix() {
        check(3, 3, &shuffled(1000)); // Not a multiple of the workgroup.
    }

    #[test]
    fn the_step_says_how_many_tokens() {
        check(2, 5, &shuffled(96));
    }

    #[test]
    fn a_single_row_in_a_step_of_many() {
        check(19, 1, &shuffled(128));
    }

    #[test]
    fn an_order_may_repeat_a_column_and_leave_one_out() {
        check(2, 2, &[4, 4, 0, 1, 3]);
    }
}
