//! Matrix-matrix product `out = X Wᵀ`, the work of prefill.
//!
//! Three forms of one operation. For many tokens: through workgroup memory, where a GPU computes; without any, where the
//! CPU stands for one, which keeps all of an invocation's values somewhere else at every barrier. For a few tokens on a
//! GPU: as for one, with the weights read once for all.

use std::ops::Range;

use format::layout::TILE;
use gpu::{Access, Constant, Extent, Gpu, Kernel, Needs, PlanBuilder, Tensor, Tier};

use crate::matvec::tiles_per_group;
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
    /// For a GPU and at most [`FEW`] tokens: lanes share rows, and take all tokens.
    Few,
}

/// Most tokens that [`MatmulForm::Few`] takes.
pub const FEW: usize = 8;

impl MatmulForm {
    /// What this device should use for many tokens.
    pub fn of_many(gpu: &Gpu) -> MatmulForm {
        if gpu.report().software { MatmulForm::Each } else { MatmulForm::Tiled }
    }

    /// What this device should use for at most [`FEW`] tokens.
    pub fn of_few(gpu: &Gpu) -> MatmulForm {
        if gpu.report().software { MatmulForm::Each } else { MatmulForm::Few }
    }

    /// Rows and tokens that a workgroup takes. Mirrors `TOKENS` and `SIDE` in the shaders.
    fn extent(self, tier: Tier) -> [u32; 2] {
        match self {
            MatmulForm::Each => [TILE as u32 * WORKGROUP_SIZE, 4],
            MatmulForm::Tiled => [64, 64],
            MatmulForm::Few => [TILE as u32 * tiles_per_group(tier), FEW as u32],
        }
    }

    fn wgsl(self, tier: Tier) -> Vec<&'static str> {
        match self {
            MatmulForm::Each => vec![include_str!("matmul_each.wgsl")],
            MatmulForm::Tiled => vec![include_str!("matmul_tiled.wgsl")],
            MatmulForm::Few => {
                let lanes = match tier {
                    Tier::Subgroups { .. } => include_str!("matmul_few_subgroups.wgsl"),
                    Tier::Plain => include_str!("matmul_few_plain.wgsl"),
                };
                vec![include_str!("matmul_few.wgsl"), lanes]
            }
        }
    }

    fn needs(self, tier: Tier) -> Needs {
        match (self, tier) {
            (MatmulForm::Few, Tier::Subgroups { .. }) => Needs::Subgroups,
            _ => Needs::Nothing,
        }
    }

    /// What the shader wants to know besides what all of them do.
    fn constants(self, tier: Tier) -> Option<Constant> {
        (self == MatmulForm::Few).then(|| Constant::U32("TILES_PER_GROUP", tiles_per_group(tier)))
    }
}

/// Shapes: `weight` `[all rows, columns]`, of which `rows` are computed, from one multiple of 4 to another or to the end;
/// `x` `[chunk, columns]`, `out` `[at most chunk, at least all rows]`.
/// Only the step's `seq_len` tokens of them are computed; `out` must have room for them.
/// Panics if they disagree: that is a mistake in our code, not in a model file.
pub fn matmul<'a>(
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

    let tier = plan.gpu().tier();
    let kernel = Kernel {
        name: "matmul",
        wgsl: [vec![STEP], weight.wgsl(), vec![include_str!("matmul_store.wgsl")], form.wgsl(tier)].concat(),
        bindings: &[Access::Read, Access::Read, Access::Read, Access::Write],
        needs: form.needs(tier),
    };
    let mut constants = vec![
        Constant::U32("WORKGROUP_SIZE", WORKGROUP_SIZE),
        Constant::U32("OUT_COLUMNS", out.shape()[1] as u32),
    ];
    constants.extend(form.constants(tier));
    constants.extend(weight.constants());
    constants.extend(weight.tiles(&rows));
    constants.extend(output.constants());
    let [group_rows, group_tokens] = form.extent(tier);
    let groups = (rows.len() as u32).div_ceil(group_rows);
    let tensors = [&weight.words, &weight.scales, x, out];
    let grid = [Extent::Fixed(groups), Extent::Tokens(group_tokens), Extent::Fixed(1)];
    plan.dispatch(kernel, &constants, &tensors, grid);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{assert_close, gpus, random, run, upload, weight};
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

    /// Every type in every form. `out` has a token and some columns more than are computed, to catch stores out of place.
    #[track_caller]
    fn check_some(seq_len: usize, all_rows: usize, rows: Range<usize>, blocks: usize, output: Output) {
        for gpu in gpus() {
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
                for form in forms(gpu.tier(), dtype, seq_len) {
                    gpu.write_f32(&out, 0, &before);
                    let params = StepParams { seq_len: seq_len as u32, ..Default::default() };
                    let got = run(&gpu, params, &out, |plan| {
                        matmul(form, plan, &weight, rows.clone(), &x_gpu, output, &out);
                    });
                    let what = format!("{form:?} {dtype:?} {seq_len} x {rows:?} of [{all_rows}, {columns}]");
                    assert_close(&what, &got, &expected, 1e-5);
                }
            }
        }
    }

    /// Those that take so many tokens, and that no other tier tries. How weights are read is no form's own: for a few tokens
    /// one type for each way of having scales will do.
    fn forms(tier: Tier, dtype: WeightType, seq_len: usize) -> Vec<MatmulForm> {
        use WeightType::{F16, Q2K, Q4, Q4M, Q6};
        let few = seq_len <= FEW && [Q4, Q4M, Q2K, Q6, F16].contains(&dtype);
        let many = [MatmulForm::Each, MatmulForm::Tiled];
        many.into_iter().filter(|_| tier == Tier::Plain).chain(few.then_some(MatmulForm::Few)).collect()
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
    fn four_tokens_and_eight() {
        check(4, 9, 5, Output::Columns(1));
        check(8, 70, 35, Output::Residual(0));
    }

    #[test]
    fn more_rows_than_a_workgroup_takes() {
        check(9, 300, 18, Output::Columns(0));
    }
}
