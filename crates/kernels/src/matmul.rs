//! Matrix-matrix product `out = X Wᵀ`, the work of prefill.
//!
//! Four forms of one operation. For many tokens: through workgroup memory, where a GPU computes; without any, where the
//! CPU stands for one, which keeps all of an invocation's values somewhere else at every barrier; and in whole numbers, where
//! activations are. For a few tokens on a GPU: as for one, with the weights read once for all.

use std::ops::Range;

use format::layout::TILE;
use gpu::{Access, Constant, Extent, Gpu, Kernel, Needs, PlanBuilder, Tensor, Tier, View};

use crate::matvec::tiles_per_group;
use crate::step::STEP;
use crate::{Input, Output, Quantized, Weight};

const WORKGROUP_SIZE: u32 = 64;

/// Which form floats are multiplied in.
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
}

/// What differs between the forms, whole numbers' among them.
struct Form<'a> {
    wgsl: Vec<&'static str>,
    needs: Needs,
    x: (Access, View<'a>),
    constants: Vec<Constant>,
    /// Rows that a workgroup takes.
    group_rows: u32,
    tokens: Extent,
}

/// Rows of a workgroup whose invocations take 4 each.
const EACH_ROWS: u32 = TILE as u32 * WORKGROUP_SIZE;

/// Tokens that an invocation takes. Mirrors `TOKENS` in `matmul_each.wgsl`.
const EACH_TOKENS: u32 = 4;

/// Most tokens that an invocation takes of whole numbers, in `matmul_int8.wgsl`: the more, the fewer times weights are read.
const INT8_TOKENS: u32 = 8;

/// Rows and tokens of a workgroup in the other form. Mirrors `SIDE` in `matmul_tiled.wgsl`.
const SIDE: u32 = 64;

/// Shapes: `weight` `[all rows, columns]`, of which `rows` are computed, from one multiple of 4 to another or to the end;
/// `input` `[chunk, columns]`, as it is or in whole numbers; `out` `[at most chunk, at least all rows]`.
/// Only the step's `seq_len` tokens of them are computed; `out` must have room for them.
/// Panics if they disagree: that is a mistake in our code, not in a model file.
pub fn matmul<'a>(
    form: MatmulForm,
    plan: &mut PlanBuilder<'a>,
    weight: &'a Weight,
    rows: Range<usize>,
    input: impl Into<Input<'a>>,
    output: Output,
    out: &'a Tensor,
) {
    let [all_rows, columns] = weight.shape();
    assert!(out.shape()[1] >= output.column() + all_rows, "matmul: out {:?}", out.shape());
    let (chunk, forms) = match input.into() {
        Input::Plain(x) => {
            assert_eq!(x.shape()[1], columns, "matmul: x");
            (x.shape()[0], vec![form.of(plan.gpu().tier(), x)])
        }
        Input::Quantized(x) => {
            assert_eq!(x.shape()[1], columns, "matmul: x in whole numbers");
            (x.shape()[0], whole_numbers(x).collect())
        }
        Input::Normed(_) => panic!("matmul: what is still to be normalised"),
    };
    assert!(chunk >= out.shape()[0], "matmul: chunk");
    for Form { wgsl, needs, x: (access, x), constants, group_rows, tokens } in forms {
        let kernel = Kernel {
            name: "matmul",
            wgsl: [vec![STEP], weight.wgsl(), wgsl, vec![include_str!("matmul_store.wgsl")]].concat(),
            bindings: vec![Access::Read, Access::Read, access, Access::Write],
            needs,
        };
        let mut constants = constants;
        constants.push(Constant::U32("WORKGROUP_SIZE", WORKGROUP_SIZE));
        constants.push(Constant::U32("OUT_COLUMNS", out.shape()[1] as u32));
        constants.extend(weight.constants());
        constants.extend(weight.tiles(&rows));
        constants.extend(output.constants());
        let groups = Extent::Fixed((rows.len() as u32).div_ceil(group_rows));
        let views = [(&weight.words).into(), (&weight.scales).into(), x, out.into()];
        plan.dispatch::<View>(kernel, &constants, &views, [groups, tokens, Extent::Fixed(1)]);
    }
}

impl MatmulForm {
    fn of(self, tier: Tier, x: &Tensor) -> Form<'_> {
        const TILE_F32: &str = include_str!("tile_f32.wgsl");
        let (mut needs, mut constants) = (Needs::Nothing, Vec::new());
        let (wgsl, group_rows, tokens) = match self {
            MatmulForm::Each => (vec![TILE_F32, include_str!("matmul_each.wgsl")], EACH_ROWS, EACH_TOKENS),
            MatmulForm::Tiled => (vec![include_str!("matmul_tiled.wgsl")], SIDE, SIDE),
            MatmulForm::Few => {
                let lanes = match tier {
                    Tier::Subgroups { .. } => {
                        needs = Needs::Subgroups;
                        include_str!("matmul_few_subgroups.wgsl")
                    }
                    Tier::Plain | Tier::Int8 => include_str!("matmul_few_plain.wgsl"),
                };
                let tiles = tiles_per_group(tier);
                constants.push(Constant::U32("TILES_PER_GROUP", tiles));
                (vec![TILE_F32, include_str!("matmul_few.wgsl"), lanes], TILE as u32 * tiles, FEW as u32)
            }
        };
        let (x, tokens) = ((Access::Read, x.into()), Extent::Tokens(tokens));
        Form { wgsl, needs, x, constants, group_rows, tokens }
    }
}

/// A dispatch for as many tokens as can be bound as a uniform at once.
fn whole_numbers(x: &Quantized) -> impl Iterator<Item = Form<'_>> {
    x.groups().map(move |tokens| {
        let [first, most] = [tokens.start, tokens.len()].map(|tokens| tokens as u32);
        let each = INT8_TOKENS.min(most);
        let mut constants = x.constants(tokens.len()).to_vec();
        constants.push(Constant::U32("TOKENS", each));
        Form {
            wgsl: vec![include_str!("tile_int8.wgsl"), include_str!("matmul_int8.wgsl")],
            needs: Needs::Int8Dot,
            constants,
            x: (Access::Uniform, x.tokens(tokens)),
            group_rows: EACH_ROWS,
            tokens: Extent::TokensFrom { first, most, each },
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{Reads, assert_close, gpus, random, run, types, upload, weight};
    use crate::{StepParams, WeightType};

    /// Tokens that fill no tile, and are few.
    const SOME: usize = 7;

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
            for (seed, dtype) in types(&gpu, &WeightType::ALL) {
                let columns = (blocks * 32).next_multiple_of(dtype.columns_multiple());
                let (weight, values) = weight(&gpu, seed, dtype, [all_rows, columns]);
                let (chunk, width) = (seq_len + 1, output.column() + all_rows + 3);
                let x = random(seed + 90, chunk * columns);
                let before = random(seed + 91, chunk * width);
                let out = upload(&gpu, "out", [chunk, width], &before);
                let x_gpu = upload(&gpu, "x", [chunk, columns], &x);
                let reads = Reads::new(&gpu, chunk, columns);

                let mut expected = before.clone();
                let values = &values[rows.start * columns..rows.end * columns];
                let y = reference(values, &reads.plain(&x[..seq_len * columns]), columns);
                for (into, y) in expected.chunks_exact_mut(width).zip(y.chunks_exact(rows.len())) {
                    for (into, y) in into[output.column() + rows.start..].iter_mut().zip(y) {
                        *into = if matches!(output, Output::Residual(_)) { *into + y } else { *y };
                    }
                }
                for form in forms(gpu.tier(), dtype, seq_len) {
                    gpu.write_f32(&out, 0, &before);
                    let params = StepParams { seq_len: seq_len as u32, ..Default::default() };
                    let got = run(&gpu, params, &out, |plan| {
                        let input = reads.input(plan, &x_gpu);
                        matmul(form, plan, &weight, rows.clone(), input, output, &out);
                    });
                    let size = format!("{seq_len} x {rows:?} of [{all_rows}, {columns}]");
                    let what = format!("{:?} {form:?} {dtype:?} {size}", gpu.tier());
                    assert_close(&what, &got, &expected, 1e-5);
                }
            }
        }
    }

    /// Those that take so many tokens, and that no other tier tries. How weights are read is no form's own: for a few tokens
    /// one type for each way of having scales will do, and every type where tiles are not filled.
    fn forms(tier: Tier, dtype: WeightType, seq_len: usize) -> Vec<MatmulForm> {
        use WeightType::{F16, Q2K, Q4, Q4M, Q6};
        let few = seq_len == SOME || seq_len <= FEW && [Q4, Q4M, Q2K, Q6, F16].contains(&dtype);
        let many = [MatmulForm::Each, MatmulForm::Tiled];
        match tier {
            // Whole numbers have one form.
            Tier::Int8 => vec![MatmulForm::Each],
            _ => many
                .into_iter()
                .filter(|_| tier == Tier::Plain)
                .chain(few.then_some(MatmulForm::Few))
                .collect(),
        }
    }

    #[test]
    fn one_token_one_row_one_block() {
        check(1, 1, 1, Output::Columns(0));
    }

    #[test]
    fn tokens_and_rows_that_fill_no_tile() {
        check(SOME, 67, 3, Output::Columns(0));
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

    /// Of 4,096 columns 6 tokens are bound as a uniform at once, of 14,336 one.
    #[test]
    fn more_tokens_than_are_bound_at_once() {
        check(19, 5, 128, Output::Columns(0));
        check(5, 4, 448, Output::Residual(3));
        check(50, 9, 18, Output::Columns(0));
    }
}
