//! Matrix-vector products, the work of decoding: what they share, and the one that only stores its result.
//!
//! Three forms of one operation: with subgroups, one of them owns a tile of rows and sums across its lanes at the end;
//! without, 16 lanes own it and meet in workgroup memory behind one barrier; and in whole numbers, or where the CPU stands for
//! a GPU, an invocation owns it alone. What happens to a finished tile is each operation's own: see [`qkv`](crate::qkv),
//! [`gate_up`](crate::gate_up) and [`residual`](crate::residual).

use std::ops::Range;

use format::layout::TILE;
use gpu::{Access, Constant, Extent, Gpu, Kernel, Needs, PlanBuilder, Tensor, Tier, View};

use crate::step::STEP;
use crate::{Input, Weight};

const WORKGROUP_SIZE: u32 = 64;

/// Lanes that share a tile where there are no subgroups. Mirrors `LANES` in `matvec_plain.wgsl`.
const PLAIN_LANES: u32 = 16;

/// Tiles of a workgroup where invocations own them: few, so that a small matrix has work for all that compute.
const EACH_WORKGROUP_SIZE: u32 = 16;

/// What a tile is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Tiles {
    /// 4 rows.
    One,
    /// 4 rows, and the 4 that are so many rows further down, a multiple of 4.
    Pair { distance: usize },
}

/// A product, and what happens to its tiles.
pub(crate) struct Product<'a> {
    pub(crate) name: &'static str,
    pub(crate) weight: &'a Weight,
    /// Rows that are computed, from one multiple of 4 to another or to the end; of a pair, the upper ones.
    pub(crate) rows: Range<usize>,
    pub(crate) input: Input<'a>,
    pub(crate) tiles: Tiles,
    /// The shader pieces that have `store_tile`.
    pub(crate) store: Vec<&'static str>,
    pub(crate) constants: Vec<Constant>,
    /// What `store` binds, from `OUT` on.
    pub(crate) outputs: Vec<(Access, &'a Tensor)>,
}

/// How tiles are divided among invocations.
#[derive(Clone, Copy, Debug)]
enum Form {
    Subgroups { min_size: u32 },
    Plain,
    Each(Needs),
}

/// Columns `first_column..` of `out`, `[1, at least first_column + all rows]`, become `weight x`, of which only `rows` are
/// computed, from one multiple of 4 to another or to the end.
/// Panics if shapes disagree: that is a mistake in our code, not in a model file.
pub fn matvec<'a>(
    plan: &mut PlanBuilder<'a>,
    weight: &'a Weight,
    rows: Range<usize>,
    input: impl Into<Input<'a>>,
    first_column: usize,
    out: &'a Tensor,
) {
    assert!(out.shape()[1] >= first_column + weight.shape()[0], "matvec: out {:?}", out.shape());
    let product = Product {
        name: "matvec",
        weight,
        rows,
        input: input.into(),
        tiles: Tiles::One,
        store: vec![include_str!("matvec_columns.wgsl")],
        constants: vec![Constant::U32("OUT_COLUMN", first_column as u32)],
        outputs: vec![(Access::Write, out)],
    };
    product.dispatch(plan);
}

impl<'a> Product<'a> {
    /// Adds it to a plan.
    pub(crate) fn dispatch(self, plan: &mut PlanBuilder<'a>) {
        let form = Form::new(plan.gpu(), self.input);
        let mut bound: Vec<(Access, View)> =
            [&self.weight.words, &self.weight.scales].map(|tensor| (Access::Read, tensor.into())).into();
        bound.extend(self.input.bindings(self.weight.shape()[1]));
        let mut constants = form.constants().to_vec();
        constants.push(Constant::U32("OUT", bound.len() as u32));
        constants.extend(self.weight.constants());
        constants.extend(self.weight.tiles(&self.rows));
        constants.extend(self.tiles.constants());
        constants.extend(self.input.constants());
        constants.extend(&self.constants);
        bound.extend(self.outputs.iter().map(|(access, tensor)| (*access, View::from(*tensor))));
        let (bindings, views): (_, Vec<View>) = bound.into_iter().unzip();
        let kernel = Kernel { name: self.name, wgsl: self.wgsl(form), bindings, needs: form.needs() };
        let groups = (self.rows.len().div_ceil(TILE) as u32).div_ceil(form.tiles_per_group());
        plan.dispatch(
            kernel,
            &constants,
            &views,
            [Extent::Fixed(groups), Extent::Fixed(1), Extent::Fixed(1)],
        );
    }

    fn wgsl(&self, form: Form) -> Vec<&'static str> {
        let mut pieces = vec![STEP];
        pieces.extend(self.weight.wgsl());
        pieces.push(match self.tiles {
            Tiles::One => include_str!("matvec_one.wgsl"),
            Tiles::Pair { .. } => include_str!("matvec_pair.wgsl"),
        });
        pieces.extend(match (form, self.tiles) {
            (Form::Subgroups { .. }, Tiles::One) => Some(include_str!("matvec_one_across.wgsl")),
            (Form::Subgroups { .. }, Tiles::Pair { .. }) => Some(include_str!("matvec_pair_across.wgsl")),
            (Form::Plain | Form::Each(_), _) => None,
        });
        pieces.extend(match self.input {
            Input::Quantized(_) => vec![include_str!("tile_int8.wgsl")],
            _ => vec![include_str!("tile_f32.wgsl"), include_str!("matvec_lane.wgsl")],
        });
        pieces.push(match self.input {
            Input::Normed(_) => include_str!("matvec_normed_input.wgsl"),
            // The scales of whole numbers have seen to it.
            Input::Plain(_) | Input::Quantized(_) => include_str!("matvec_plain_input.wgsl"),
        });
        pieces.extend(&self.store);
        pieces.push(match form {
            Form::Subgroups { .. } => include_str!("matvec_subgroups.wgsl"),
            Form::Plain => include_str!("matvec_plain.wgsl"),
            Form::Each(_) => include_str!("matvec_each.wgsl"),
        });
        pieces
    }
}

impl Form {
    /// Invocations are by themselves for whole numbers, and where the CPU stands for a GPU.
    fn new(gpu: &Gpu, input: Input) -> Form {
        match (input, gpu.tier()) {
            (Input::Quantized(_), _) => Form::Each(Needs::Int8Dot),
            (_, Tier::Plain | Tier::Int8) if gpu.report().software => Form::Each(Needs::Nothing),
            (_, tier) => Form::of_floats(tier),
        }
    }

    /// What a GPU takes.
    fn of_floats(tier: Tier) -> Form {
        match tier {
            Tier::Subgroups { min_size, .. } => Form::Subgroups { min_size },
            Tier::Plain | Tier::Int8 => Form::Plain,
        }
    }

    fn needs(self) -> Needs {
        match self {
            Form::Subgroups { .. } => Needs::Subgroups,
            Form::Plain => Needs::Nothing,
            Form::Each(needs) => needs,
        }
    }

    fn workgroup_size(self) -> u32 {
        match self {
            Form::Subgroups { .. } | Form::Plain => WORKGROUP_SIZE,
            Form::Each(_) => EACH_WORKGROUP_SIZE,
        }
    }

    fn tiles_per_group(self) -> u32 {
        match self {
            Form::Subgroups { min_size } => WORKGROUP_SIZE / min_size.min(WORKGROUP_SIZE),
            Form::Plain => WORKGROUP_SIZE / PLAIN_LANES,
            Form::Each(_) => EACH_WORKGROUP_SIZE,
        }
    }

    fn constants(self) -> [Constant; 2] {
        [
            Constant::U32("WORKGROUP_SIZE", self.workgroup_size()),
            Constant::U32("TILES_PER_GROUP", self.tiles_per_group()),
        ]
    }
}

/// Tiles that a workgroup takes at once, of floats.
pub(crate) fn tiles_per_group(tier: Tier) -> u32 {
    Form::of_floats(tier).tiles_per_group()
}

impl Tiles {
    fn constants(self) -> Vec<Constant> {
        match self {
            Tiles::One => Vec::new(),
            Tiles::Pair { distance } => vec![Constant::U32("PAIR_TILES", (distance / TILE) as u32)],
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::StepParams;
    use crate::WeightType;
    use crate::check::{Reads, Stream, assert_close, gpus, random, run, types, upload, weight};

    /// `W x`.
    pub(crate) fn reference(weight: &[f32], x: &[f32]) -> Vec<f32> {
        let dot =
            |row: &[f32]| row.iter().zip(x).map(|(w, x)| f64::from(*w) * f64::from(*x)).sum::<f64>() as f32;
        weight.chunks_exact(x.len()).map(dot).collect()
    }

    #[track_caller]
    fn check(rows: usize, blocks: usize, first_column: usize) {
        check_some(rows, 0..rows, blocks, first_column);
    }

    /// Every type on every tier. `out` has a column more on either side, to catch stores out of place.
    #[track_caller]
    fn check_some(all_rows: usize, rows: Range<usize>, blocks: usize, first_column: usize) {
        for gpu in gpus() {
            for (seed, dtype) in types(&gpu, &WeightType::ALL) {
                let columns = (blocks * 32).next_multiple_of(dtype.columns_multiple());
                let (weight, values) = weight(&gpu, seed, dtype, [all_rows, columns]);
                let (stream, reads) = (Stream::new(&gpu, seed + 90, columns), Reads::new(&gpu, 1, columns));
                let before = random(seed + 91, first_column + all_rows + 1);
                let out = upload(&gpu, "out", [1, before.len()], &before);

                let params = StepParams { seq_len: 1, ..Default::default() };
                let got = run(&gpu, params, &out, |plan| {
                    let input = reads.input(plan, stream.normed());
                    matvec(plan, &weight, rows.clone(), input, first_column, &out);
                });

                let mut expected = before;
                let y = reference(&values[rows.start * columns..rows.end * columns], &reads.normed(&stream));
                expected[first_column + rows.start..first_column + rows.end].copy_from_slice(&y);
                let what = format!("{:?} {dtype:?} {rows:?} of [{all_rows}, {columns}]", gpu.tier());
                assert_close(&what, &got, &expected, 1e-5);
            }
        }
    }

    #[test]
    fn one_row_of_one_block() {
        check(1, 1, 0);
    }

    #[test]
    fn rows_that_end_inside_a_tile() {
        check(67, 3, 0);
    }

    #[test]
    fn more_blocks_than_lanes() {
        check(6, 71, 0);
    }

    #[test]
    fn columns_of_a_wider_output() {
        check(12, 9, 20);
    }

    #[test]
    fn some_rows_leave_the_others_alone() {
        check_some(67, 4..12, 3, 5);
        check_some(67, 40..67, 3, 0);
    }
}
