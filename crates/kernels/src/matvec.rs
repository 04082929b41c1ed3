//! Matrix-vector product `out = W x`, the work of decoding.
//!
//! Two forms of one operation: with subgroups, one of them owns 4 rows and sums across its lanes at the end;
//! without, 16 lanes own 4 rows and meet in workgroup memory behind one barrier.

use std::ops::Range;

use format::layout::TILE;
use gpu::{Access, Constant, Extent, Kernel, Needs, PlanBuilder, Tensor, Tier};

use crate::step::STEP;
use crate::{Output, Weight};

const WORKGROUP_SIZE: u32 = 64;

/// Lanes that share 4 rows where there are no subgroups. Mirrors `LANES` in `matvec_plain.wgsl`.
const PLAIN_LANES: u32 = 16;

/// Shapes: `weight` `[all rows, columns]`, of which `rows` are computed, from one multiple of 4 to another or to the end;
/// `x` `[chunk, columns]`, `out` `[chunk, at least all rows]`; only the first of the chunk is computed.
/// Panics if they disagree: that is a mistake in our code, not in a model file.
pub fn matvec<'a>(
    plan: &mut PlanBuilder<'a>,
    weight: &'a Weight,
    rows: Range<usize>,
    x: &'a Tensor,
    output: Output,
    out: &'a Tensor,
) {
    let [all_rows, columns] = weight.shape();
    assert_eq!(x.shape()[1], columns, "matvec: x");
    assert!(out.shape()[1] >= output.column() + all_rows, "matvec: out {:?}", out.shape());

    let (form, needs, tiles_per_group) = match plan.gpu().tier() {
        Tier::Subgroups { min_size, .. } => {
            let tiles = WORKGROUP_SIZE / min_size.min(WORKGROUP_SIZE);
            (include_str!("matvec_subgroups.wgsl"), Needs::Subgroups, tiles)
        }
        Tier::Plain => (include_str!("matvec_plain.wgsl"), Needs::Nothing, WORKGROUP_SIZE / PLAIN_LANES),
    };
    let kernel = Kernel {
        name: "matvec",
        wgsl: [vec![STEP], weight.wgsl(), vec![include_str!("matvec.wgsl"), form]].concat(),
        bindings: &[Access::Read, Access::Read, Access::Read, Access::Write],
        needs,
    };
    let mut constants = vec![
        Constant::U32("WORKGROUP_SIZE", WORKGROUP_SIZE),
        Constant::U32("TILES_PER_GROUP", tiles_per_group),
    ];
    constants.extend(weight.constants());
    constants.extend(weight.tiles(&rows));
    constants.extend(output.constants());
    let groups = (rows.len().div_ceil(TILE) as u32).div_ceil(tiles_per_group);
    let tensors = [&weight.words, &weight.scales, x, out];
    plan.dispatch(kernel, &constants, &tensors, [Extent::Fixed(groups), Extent::Fixed(1), Extent::Fixed(1)]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{assert_close, gpus, random, run, upload, weight};
    use crate::{StepParams, WeightType};

    fn reference(weight: &[f32], x: &[f32]) -> Vec<f32> {
        let dot =
            |row: &[f32]| row.iter().zip(x).map(|(w, x)| f64::from(*w) * f64::from(*x)).sum::<f64>() as f32;
        weight.chunks_exact(x.len()).map(dot).collect()
    }

    #[track_caller]
    fn check(rows: usize, blocks: usize, output: Output) {
        check_some(rows, 0..rows, blocks, output);
    }

    /// Every type on both tiers. `out` has a column more on either side, to catch stores out of place.
    #[track_caller]
    fn check_some(all_rows: usize, rows: Range<usize>, blocks: usize, output: Output) {
        for gpu in gpus() {
            for (seed, dtype) in (1..).zip(WeightType::ALL) {
                let columns = (blocks * 32).next_multiple_of(dtype.columns_multiple());
                let (weight, values) = weight(&gpu, seed, dtype, [all_rows, columns]);
                let x = random(seed + 90, columns);
                let before = random(seed + 91, output.column() + all_rows + 1);
                let out = upload(&gpu, "out", [1, before.len()], &before);
                let x_gpu = upload(&gpu, "x", [1, columns], &x);

                let params = StepParams { seq_len: 1, ..Default::default() };
                let got =
                    run(&gpu, params, &out, |plan| matvec(plan, &weight, rows.clone(), &x_gpu, output, &out));

                let mut expected = before;
                let y = reference(&values[rows.start * columns..rows.end * columns], &x);
                for (into, y) in expected[output.column() + rows.start..].iter_mut().zip(y) {
                    *into = if matches!(output, Output::Residual(_)) { *into + y } else { y };
                }
                let what = format!("{:?} {dtype:?} {rows:?} of [{all_rows}, {columns}]", gpu.tier());
                assert_close(&what, &got, &expected, 1e-5);
            }
        }
    }

    #[test]
    fn one_row_of_one_block() {
        check(1, 1, Output::Columns(0));
    }

    #[test]
    fn rows_that_end_inside_a_tile() {
        check(67, 3, Output::Columns(0));
    }

    #[test]
    fn more_blocks_than_lanes() {
        check(6, 71, Output::Columns(0));
    }

    #[test]
    fn columns_of_a_wider_output() {
        check(12, 9, Output::Columns(20));
    }

    #[test]
    fn the_residual_is_added() {
        check(33, 18, Output::Residual(3));
    }

    #[test]
    fn some_rows_leave_the_others_alone() {
        check_some(67, 4..12, 3, Output::Columns(5));
        check_some(67, 40..67, 3, Output::Residual(0));
    }

    #[test]
    fn smollm2_down_proj() {
        check(576, 48, Output::Residual(0));
    }
}
