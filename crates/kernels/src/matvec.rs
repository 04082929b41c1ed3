//! Matrix-vector products, the work of decoding: what they share, and the one that only stores its result.
//!
//! Two forms of one operation: with subgroups, one of them owns a tile of rows and sums across its lanes at the end;
//! without, 16 lanes own it and meet in workgroup memory behind one barrier. What happens to a finished tile is each
//! operation's own: see [`qkv`](crate::qkv), [`gate_up`](crate::gate_up) and [`residual`](crate::residual).

use std::ops::Range;

use format::layout::TILE;
use gpu::{Access, Constant, Extent, Kernel, Needs, PlanBuilder, Tensor, Tier};

use crate::Weight;
use crate::step::STEP;

const WORKGROUP_SIZE: u32 = 64;

/// Lanes that share a tile where there are no subgroups. Mirrors `LANES` in `matvec_plain.wgsl`.
const PLAIN_LANES: u32 = 16;

/// Activations that are normalised by the product that reads them: RMSNorm is `x * gain / rms(x)`, and the last is one
/// number for all columns, so the finished sums are divided by it.
#[derive(Clone, Copy, Debug)]
pub struct Normed<'a> {
    /// `x * gain`: `[1, columns]`.
    pub weighted: &'a Tensor,
    /// The sums of `x²`, 4 at a time: `[1, columns / 4]`.
    pub squares: &'a Tensor,
    /// What keeps the root above zero.
    pub eps: f32,
}

/// What a product reads.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Input<'a> {
    Normed(Normed<'a>),
    /// `[1 or more, columns]`, of which the first row is taken as it is.
    Plain(&'a Tensor),
}

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
    /// Of everything: words, scales, x, squares if they are read, and `outputs`.
    pub(crate) bindings: &'static [Access],
    pub(crate) outputs: Vec<&'a Tensor>,
}

/// Columns `first_column..` of `out`, `[1, at least first_column + all rows]`, become `weight x`, of which only `rows` are
/// computed, from one multiple of 4 to another or to the end.
/// Panics if shapes disagree: that is a mistake in our code, not in a model file.
pub fn matvec<'a>(
    plan: &mut PlanBuilder<'a>,
    weight: &'a Weight,
    rows: Range<usize>,
    input: Normed<'a>,
    first_column: usize,
    out: &'a Tensor,
) {
    assert!(out.shape()[1] >= first_column + weight.shape()[0], "matvec: out {:?}", out.shape());
    let product = Product {
        name: "matvec",
        weight,
        rows,
        input: Input::Normed(input),
        tiles: Tiles::One,
        store: vec![include_str!("matvec_columns.wgsl")],
        constants: vec![Constant::U32("OUT_COLUMN", first_column as u32)],
        bindings: &[Access::Read, Access::Read, Access::Read, Access::Read, Access::Write],
        outputs: vec![out],
    };
    product.dispatch(plan);
}

impl<'a> Product<'a> {
    /// Adds it to a plan.
    pub(crate) fn dispatch(self, plan: &mut PlanBuilder<'a>) {
        let tier = plan.gpu().tier();
        let tiles_per_group = tiles_per_group(tier);
        let kernel = Kernel {
            name: self.name,
            wgsl: self.wgsl(tier),
            bindings: self.bindings,
            needs: if tier == Tier::Plain { Needs::Nothing } else { Needs::Subgroups },
        };
        let mut constants = vec![
            Constant::U32("WORKGROUP_SIZE", WORKGROUP_SIZE),
            Constant::U32("TILES_PER_GROUP", tiles_per_group),
        ];
        constants.extend(self.weight.constants());
        constants.extend(self.weight.tiles(&self.rows));
        constants.extend(self.tiles.constants());
        constants.extend(self.input.constants());
        constants.extend(&self.constants);
        let groups = (self.rows.len().div_ceil(TILE) as u32).div_ceil(tiles_per_group);
        let mut tensors = vec![&self.weight.words, &self.weight.scales];
        tensors.extend(self.input.tensors(self.weight.shape()[1]));
        tensors.extend(self.outputs);
        let one = Extent::Fixed(1);
        plan.dispatch(kernel, &constants, &tensors, [Extent::Fixed(groups), one, one]);
    }

    fn wgsl(&self, tier: Tier) -> Vec<&'static str> {
        let mut pieces = vec![STEP];
        pieces.extend(self.weight.wgsl());
        pieces.push(include_str!("matvec_lane.wgsl"));
        pieces.extend(match (self.tiles, tier) {
            (Tiles::One, Tier::Plain) => vec![include_str!("matvec_one.wgsl")],
            (Tiles::One, _) => vec![include_str!("matvec_one.wgsl"), include_str!("matvec_one_across.wgsl")],
            (Tiles::Pair { .. }, Tier::Plain) => vec![include_str!("matvec_pair.wgsl")],
            (Tiles::Pair { .. }, _) => {
                vec![include_str!("matvec_pair.wgsl"), include_str!("matvec_pair_across.wgsl")]
            }
        });
        pieces.push(match self.input {
            Input::Normed(_) => include_str!("matvec_normed_input.wgsl"),
            Input::Plain(_) => include_str!("matvec_plain_input.wgsl"),
        });
        pieces.extend(&self.store);
        pieces.push(match tier {
            Tier::Subgroups { .. } => include_str!("matvec_subgroups.wgsl"),
            Tier::Plain => include_str!("matvec_plain.wgsl"),
        });
        pieces
    }
}

impl Tiles {
    fn constants(self) -> Vec<Constant> {
        match self {
            Tiles::One => Vec::new(),
            Tiles::Pair { distance } => vec![Constant::U32("PAIR_TILES", (distance / TILE) as u32)],
        }
    }
}

impl<'a> Input<'a> {
    fn constants(self) -> Vec<Constant> {
        match self {
            Input::Normed(normed) => vec![Constant::F32("EPS", normed.eps)],
            Input::Plain(_) => Vec::new(),
        }
    }

    fn tensors(self, columns: usize) -> Vec<&'a Tensor> {
        match self {
            Input::Normed(Normed { weighted, squares, .. }) => {
                assert_eq!(weighted.shape()[1], columns, "product: weighted");
                assert_eq!(squares.shape(), [1, columns / 4], "product: squares");
                vec![weighted, squares]
            }
            Input::Plain(x) => {
                assert_eq!(x.shape()[1], columns, "product: x");
                vec![x]
            }
        }
    }
}

/// Tiles that a workgroup takes at once.
pub(crate) fn tiles_per_group(tier: Tier) -> u32 {
    match tier {
        Tier::Subgroups { min_size, .. } => WORKGROUP_SIZE / min_size.min(WORKGROUP_SIZE),
        Tier::Plain => WORKGROUP_SIZE / PLAIN_LANES,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::StepParams;
    use crate::WeightType;
    use crate::check::{Stream, assert_close, gpus, random, run, upload, weight};

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

    /// Every type on both tiers. `out` has a column more on either side, to catch stores out of place.
    #[track_caller]
    fn check_some(all_rows: usize, rows: Range<usize>, blocks: usize, first_column: usize) {
        for gpu in gpus() {
            for (seed, dtype) in (1..).zip(WeightType::ALL) {
                let columns = (blocks * 32).next_multiple_of(dtype.columns_multiple());
                let (weight, values) = weight(&gpu, seed, dtype, [all_rows, columns]);
                let stream = Stream::new(&gpu, seed + 90, columns);
                let before = random(seed + 91, first_column + all_rows + 1);
                let out = upload(&gpu, "out", [1, before.len()], &before);

                let params = StepParams { seq_len: 1, ..Default::default() };
                let got = run(&gpu, params, &out, |plan| {
                    matvec(plan, &weight, rows.clone(), stream.normed(), first_column, &out);
                });

                let mut expected = before;
                let y = reference(&values[rows.start * columns..rows.end * columns], &stream.normed_values());
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
