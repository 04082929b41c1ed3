//! Matrix-matrix product `out = X Wᵀ`, the work of prefill.
//!
//! Five forms of one operation. For many tokens: through workgroup memory, where a GPU computes, in floats or in halves;
//! without any, where the CPU stands for one, which keeps all of an invocation's values somewhere else at every barrier; and
//! in whole numbers, where activations are. For a few tokens on a GPU: as for one, with the weights read once for all.

use std::ops::Range;

use format::layout::TILE;
use gpu::{Access, Arithmetic, Constant, Extent, Gpu, Kernel, Needs, PlanBuilder, Tensor, Tier, View};

use crate::matvec::tiles_per_group;
use crate::step::STEP;
use crate::{Input, Output, Quantized, Weight};

const WORKGROUP_SIZE: u32 = 64;

/// How products are computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MatmulForm {
    /// For the CPU: an invocation takes a few rows and tokens.
    Each,
    /// For a GPU: a workgroup takes many of both.
    Tiled,
    /// The same in halves, where the device has arithmetic in them.
    TiledHalves,
    /// For a GPU and at most [`FEW`] tokens: lanes share rows, and take all tokens.
    Few,
    /// In whole numbers: an invocation takes a few rows and tokens.
    WholeNumbers,
}

/// Most tokens that [`MatmulForm::Few`] takes.
pub const FEW: usize = 8;

impl MatmulForm {
    /// What this device should use for many tokens.
    pub fn of_many(gpu: &Gpu) -> MatmulForm {
        match gpu.arithmetic() {
            Arithmetic::Halves => MatmulForm::TiledHalves,
            Arithmetic::WholeNumbers => MatmulForm::WholeNumbers,
            Arithmetic::Floats => MatmulForm::of_floats(gpu),
        }
    }

    fn of_floats(gpu: &Gpu) -> MatmulForm {
        if gpu.report().software { MatmulForm::Each } else { MatmulForm::Tiled }
    }

    /// What this device should use for at most [`FEW`] tokens.
    pub fn of_few(gpu: &Gpu) -> MatmulForm {
        if gpu.report().software { MatmulForm::of_many(gpu) } else { MatmulForm::Few }
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
/// `input` `[chunk, columns]`, as it is or in whole numbers; `out` `[at most chunk, at least all rows]`. What has no whole
/// numbers is multiplied in floats in every form.
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
            (x.shape()[0], vec![form.of(plan.gpu(), x)])
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
    fn of<'x>(self, gpu: &Gpu, x: &'x Tensor) -> Form<'x> {
        const TILE_F32: &str = include_str!("tile_f32.wgsl");
        const TILED: &str = include_str!("matmul_tiled.wgsl");
        let (mut needs, mut constants) = (Needs::Nothing, Vec::new());
        let (wgsl, group_rows, tokens) = match self {
            MatmulForm::WholeNumbers => return MatmulForm::of_floats(gpu).of(gpu, x),
            MatmulForm::Each => (vec![TILE_F32, include_str!("matmul_each.wgsl")], EACH_ROWS, EACH_TOKENS),
            MatmulForm::Tiled => (vec![include_str!("tiled_floats.wgsl"), TILED], SIDE, SIDE),
            MatmulForm::TiledHalves => {
                needs = Needs::F16;
                (vec![include_str!("tiled_halves.wgsl"), TILED], SIDE, SIDE)
            }
            MatmulForm::Few => {
                let lanes = match gpu.tier() {
                    Tier::Subgroups { .. } => {
                        needs = Needs::Subgroups;
                        include_str!("matmul_few_subgroups.wgsl")
                    }
                    Tier::Plain | Tier::Int8 => include_str!("matmul_few_plain.wgsl"),
                };
                let tiles = tiles_per_group(gpu.tier());
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
    use crate::check::{Reads, assert_close, gpu, gpus, random, run, types, upload, weight};
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

    /// How large the largest output is as a rule: a single one may be nothing beside the products that it is the sum of,
    /// which halves have rounded.
    fn usual(weight: &[f32], x: &[f32], columns: usize) -> f32 {
        let square = |values: &[f32]| values.iter().map(|value| value * value).collect::<Vec<_>>();
        largest(&reference(&square(weight), &square(x), columns)).sqrt()
    }

    fn largest(values: &[f32]) -> f32 {
        values.iter().fold(0f32, |most, value| most.max(value.abs()))
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
                let x_plain = reads.plain(&x[..seq_len * columns]);
                let y = reference(values, &x_plain, columns);
                let usual = usual(values, &x_plain, columns);
                for (into, y) in expected.chunks_exact_mut(width).zip(y.chunks_exact(rows.len())) {
                    for (into, y) in into[output.column() + rows.start..].iter_mut().zip(y) {
                        *into = if matches!(output, Output::Residual(_)) { *into + y } else { *y };
                    }
                }
                for form in forms(&gpu, dtype, seq_len) {
                    gpu.write_f32(&out, 0, &before);
                    let params = StepParams { seq_len: seq_len as u32, ..Default::default() };
                    let got = run(&gpu, params, &out, |plan| {
                        let input = reads.input(plan, &x_gpu);
                        matmul(form, plan, &weight, rows.clone(), input, output, &out);
                    });
                    let size = format!("{seq_len} x {rows:?} of [{all_rows}, {columns}]");
                    let what = format!("{:?} {form:?} {dtype:?} {size}", gpu.tier());
                    assert_close(&what, &got, &expected, bound(form, usual, &expected));
                }
            }
        }
    }

    /// Of what is largest. A half has 11 bits; each of a block's 16 sums in halves rounds, and so did both factors: a part
    /// of the `usual` output, where that is more.
    fn bound(form: MatmulForm, usual: f32, expected: &[f32]) -> f32 {
        match form {
            MatmulForm::TiledHalves => 2e-3 * (usual / largest(expected)).max(1.0),
            _ => 1e-5,
        }
    }

    /// Those that take so many tokens, and that no other tier tries. How weights are read is no form's own: for a few tokens,
    /// and in halves, one type for each way of having scales will do, and every type where tiles are not filled.
    /// Lavapipe has arithmetic in halves, which `gpu` holds it to; SwiftShader has not.
    fn forms(gpu: &Gpu, dtype: WeightType, seq_len: usize) -> Vec<MatmulForm> {
        use WeightType::{F16, Q2K, Q4, Q4M, Q6};
        let is_tried = seq_len == SOME || [Q4, Q4M, Q2K, Q6, F16].contains(&dtype);
        let few = is_tried && seq_len <= FEW;
        let halves = is_tried && gpu.report().features.contains(&"shader-f16");
        let many = [MatmulForm::Each, MatmulForm::Tiled];
        match gpu.tier() {
            Tier::Int8 => vec![MatmulForm::WholeNumbers],
            _ => many
                .into_iter()
                .chain(halves.then_some(MatmulForm::TiledHalves))
                .filter(|_| gpu.tier() == Tier::Plain)
                .chain(few.then_some(MatmulForm::Few))
                .collect(),
        }
    }

    /// Activations of a size that a half does not have, alone or beside others: in each token its own, in a token's blocks
    /// one after the other. Errors are a part of the largest output of the same token.
    #[test]
    fn halves_neither_overflow_nor_vanish() {
        const COLUMNS: usize = 4 * 32;
        const ROWS: usize = 70;
        let gpu = gpu();
        let (weight, values) = weight(&gpu, 5, WeightType::F32, [ROWS, COLUMNS]);
        let sizes: [[f32; 4]; 8] = [
            [1e5; 4],
            [1e-6; 4],
            [1e5, 1e-6, 1.0, 1e5],
            [0.0; 4],
            [0.0, 1e-6, 0.0, 0.0],
            [3e30, 0.0, 0.0, 1.0],
            [1e-37; 4],
            [65504.0, 65520.0, 6e-5, 6e-8],
        ];
        let blocks = random(6, sizes.len() * COLUMNS);
        let blocks = blocks.chunks_exact(32).zip(sizes.as_flattened());
        let x: Vec<f32> = blocks.flat_map(|(block, size)| block.iter().map(move |x| x * size)).collect();
        let x_gpu = upload(&gpu, "x", [sizes.len(), COLUMNS], &x);
        let out = upload(&gpu, "out", [sizes.len(), ROWS], &vec![0.0; sizes.len() * ROWS]);
        let params = StepParams { seq_len: sizes.len() as u32, ..Default::default() };
        let got = run(&gpu, params, &out, |plan| {
            matmul(MatmulForm::TiledHalves, plan, &weight, 0..ROWS, &x_gpu, Output::Columns(0), &out);
        });
        let expected = reference(&values, &x, COLUMNS);
        for (sizes, (got, expected)) in
            sizes.iter().zip(got.chunks_exact(ROWS).zip(expected.chunks_exact(ROWS)))
        {
            if sizes[0] == 1e-37 {
                // What is nothing beside any number that a model has may come to nothing.
                assert!(got.iter().all(|y| y.abs() < 1e-29), "{sizes:?}: {got:?}");
            } else {
                // The largest of so many outputs is what it is as a rule.
                let bound = bound(MatmulForm::TiledHalves, 0.0, expected);
                assert_close(&format!("{sizes:?}"), got, expected, bound);
            }
        }
    }

    /// The same of weights, each row of a size of its own.
    #[test]
    fn weights_of_any_size_are_multiplied_in_halves() {
        let gpu = gpu();
        let (weight, _) = weight(&gpu, 5, WeightType::F32, [8, 64]);
        let sizes = [1e5f32, 1e-6, 1.0, 65520.0, 1e20, 0.0, 6e-5, 3.0];
        let rows = random(7, 8 * 64);
        let rows = rows.iter().enumerate().map(|(at, weight)| weight * sizes[at / 64]);
        let rows: Vec<f32> = rows.collect();
        let bytes: Vec<u8> = rows.iter().flat_map(|w| w.to_le_bytes()).collect();
        weight.write_rows(&gpu, 0, format::GgmlType::F32, &bytes);
        let x = random(8, 64);
        let x_gpu = upload(&gpu, "x", [1, 64], &x);
        let out = upload(&gpu, "out", [1, 8], &[0.0; 8]);
        let params = StepParams { seq_len: 1, ..Default::default() };
        let got = run(&gpu, params, &out, |plan| {
            matmul(MatmulForm::TiledHalves, plan, &weight, 0..8, &x_gpu, Output::Columns(0), &out);
        });
        for (at, (got, expected)) in got.iter().zip(reference(&rows, &x, 64)).enumerate() {
            // One output alone may be small beside what it is the sum of.
            let largest: f32 = rows[at * 64..][..64].iter().zip(&x).map(|(w, x)| (w * x).abs()).sum();
            assert!((got - expected).abs() <= 2e-3 * largest, "row {at}: got {got}, expected {expected}");
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
