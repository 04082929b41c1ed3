//! Matrix-matrix product `out = X Wᵀ`, the work of prefill.
//!
//! Two forms of one operation: through workgroup memory, where a GPU computes; without any, where the CPU stands for one,
//! which keeps all of an invocation's values somewhere else at every barrier.

use std::ops::Range;

use format::layout::TILE;
use gpu::{Access, Constant, Extent, Kernel, Needs, PlanBuilder, Tensor};

use crate::step::STEP;
use crate::{Output, Weight};

const WORKGROUP_SIZE: u32 = 64;

/// Which form is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MatmulForm {
    /// For the CPU: an invocation takes a few rows and tokens.
    Each,
    /// For a GPU: a workgroup takes many of both.
    Tiled,
}

impl MatmulForm {
    /// Rows and tokens that a workgroup takes. Mirrors `TOKENS` and `SIDE` in the shaders.
    fn extent(self) -> [u32; 2] {
        match self {
            MatmulForm::Each => [TILE as u32 * WORKGROUP_SIZE, 4],
            MatmulForm::Tiled => [64, 64],
        }
    }

    fn wgsl(self) -> &'static str {
        match self {
            MatmulForm::Each => include_str!("matmul_each.wgsl"),
            MatmulForm::Tiled => include_str!("matmul_tiled.wgsl"),
        }
    }
}

/// Shapes: `weight` `[all rows, columns]`, of which `rows` are computed, from one multiple of 4 to another or to the end;
/// `x` `[chunk, columns]`, `out` `[at most chunk, at least all rows]`.
/// Only the step's `seq_len` tokens of them are computed; `out` must have room for them.
/// Panics if they disagree: that is a mistake in our code, not in a model file.
pub fn matmul<'a>(
    plan: &mut PlanBuilder<'a>,
    weight: &'a Weight,
    rows: Range<usize>,
    x: &'a Tensor,
    output: Output,
    out: &'a Tensor,
) {
    let form = if plan.gpu().report().software { MatmulForm::Each } else { MatmulForm::Tiled };
    matmul_in(form, plan, weight, rows, x, output, out);
}

/// The same in a form of the caller's choice.
pub fn matmul_in<'a>(
    form: MatmulForm,
    plan: &mut PlanBuilder<'a>,
    weight: &'a Weight,
    rows: Range<usize>,
    x: &'a Tensor,
    output: Output,
    out: &'a Tensor,
) {
    let [all_rows, columns] = weight.shape();
    assert_eq!(x.shape()[1], columns, "matmul: x");
    assert!(x.shape()[0] >= out.shape()[0], "matmul: chunk");
    assert!(out.shape()[1] >= output.column() + all_rows, "matmul: out {:?}", out.shape());

    let kernel = Kernel {
        name: "matmul",
        wgsl: [vec![STEP], weight.wgsl(), vec![include_str!("matmul_store.wgsl"), form.wgsl()]].concat(),
        bindings: &[Access::Read, Access::Read, Access::Read, Access::Write],
        needs: Needs::Nothing,
    };
    let mut constants = vec![
        Constant::U32("WORKGROUP_SIZE", WORKGROUP_SIZE),
        Constant::U32("OUT_COLUMNS", out.shape()[1] as u32),
    ];
    constants.extend(weight.constants());
    constants.extend(weight.tiles(&rows));
    constants.extend(output.constants());
    let [group_rows, group_tokens] = form.extent();
    let groups = (rows.len() as u32).div_ceil(group_rows);
    let tensors = [&weight.words, &weight.scales, x, out];
    let grid = [Extent::Fixed(groups), Extent::Tokens(group_tokens), Extent::Fixed(1)];
    plan.dispatch(kernel, &constants, &tensors, grid);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{assert_close, gpu, random, run, upload, weight};
    use crate::{StepParams, WeightType};

    fn reference(weight: &[f32], x: &[f32], columns: usize) -> Vec<f32> {
        let dot =
            |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
        x.chunks_exact(columns)
            .flat_map(|x| weight.chunks_exact(columns).map(move |row| dot(row, x) as f32))
            .collect()
    }

    #[track_caller]
    fn check(seq_len: usize, rows: usize, blocks: usize, output: Output) {
        check_some(seq_len, rows, 0..rows, blocks, output);
    }

    /// Every type in both forms. `out` has a token and some columns more than are computed, to catch stores out of place.
    #[track_caller]
    fn check_some(seq_len: usize, all_rows: usize, rows: Range<usize>, blocks: usize, output: Output) {
        let gpu = gpu();
        for (seed, dtype) in (1..).zip(WeightType::ALL) {
            let columns = (blocks * 32).next_multiple_of(dtype.columns_multiple());
            let (weight, values) = weight(&gpu, seed, dtype, [all_rows, columns]);
            let (chunk, width) = (seq_len + 1, output.column() + all_rows + 3);
            let x = random(seed + 90, chunk * columns);
            let before = random(seed + 91, chunk * width);
            let out = upload(&gpu, "out", [chunk, width], &before);
            let x_gpu = upload(&gpu, "x", [chunk, columns], &x);

            let mut expected = before.clone();
            let values = &values[rows.start * columns..rows.end * columns];
            let y = reference(values, &x[..seq_len * columns], columns);
            for (into, y) in expected.chunks_exact_mut(width).zip(y.chunks_exact(rows.len())) {
                for (into, y) in into[output.column() + rows.start..].iter_mut().zip(y) {
                    *into = if matches!(output, Output::Residual(_)) { *into + y } else { *y };
                }
            }
            for form in [MatmulForm::Each, MatmulForm::Tiled] {
                gpu.write_f32(&out, 0, &before);
                let params = StepParams { seq_len: seq_len as u32, ..Default::default() };
                let got = run(&gpu, params, &out, |plan| {
                    matmul_in(form, plan, &weight, rows.clone(), &x_gpu, output, &out);
                });
                let what = format!("{form:?} {dtype:?} {seq_len} x {rows:?} of [{all_rows}, {columns}]");
                assert_close(&what, &got, &expected, 1e-5);
            }
        }
    }

    #[test]
    fn one_token_one_row_one_block() {
        check(1, 1, 1, Output::Columns(0));
    }

    #[test]
    fn tokens_and_rows_that_fill_no_tile() {
        check(7, 67, 3, Output::Columns(0));
    }

    #[test]
    fn columns_of_a_wider_output() {
        check(5, 12, 9, Output::Columns(20));
    }

    #[test]
    fn the_residual_is_added() {
        check(130, 33, 2, Output::Residual(5));
    }

    #[test]
    fn some_rows_leave_the_others_alone() {
        check_some(5, 67, 4..12, 3, Output::Columns(5));
        check_some(5, 67, 40..67, 3, Output::Residual(0));
    }

    #[test]
    fn more_rows_than_a_workgroup_takes() {
        check(9, 300, 18, Output::Columns(0));
    }
}
