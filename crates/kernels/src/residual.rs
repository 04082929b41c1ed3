//! A product whose results are added to the residual stream of one token: `h += W x`, as `o_proj` and `down_proj` do.
//!
//! The next norm needs no dispatch of its own. RMSNorm is `h * gain / rms(h)`: each value times its gain, and the sums of
//! squares, are left here by whoever has just computed the value; the next product divides what it has summed up.

use std::ops::Range;

use format::layout::TILE;
use gpu::{Access, Constant, PlanBuilder, Tensor};

use crate::matvec::{Product, Tiles};
use crate::{Input, Weight};

/// The residual stream of one token, and what the next product wants of it.
#[derive(Clone, Copy, Debug)]
pub struct Stream<'a> {
    /// `h`: `[1 or more, hidden_size]`, of which the first row is the token's.
    pub hidden: &'a Tensor,
    /// `h * gain` of the next norm: `[1, hidden_size]`.
    pub weighted: &'a Tensor,
    /// Sums of `h²`, 4 at a time: `[1, hidden_size / 4]`.
    pub squares: &'a Tensor,
}

/// Shapes: `weight` `[all rows, columns]`, whose `rows` are computed, both ends multiples of 4; of `input` the
/// first row is read, `[1 or more, columns]`; `gain` `[1, hidden_size]` of the next norm. The first of all rows goes to `first_column`,
/// a multiple of 4.
/// Panics if they disagree: that is a mistake in our code, not in a model file.
pub fn residual<'a>(
    plan: &mut PlanBuilder<'a>,
    weight: &'a Weight,
    rows: Range<usize>,
    input: impl Into<Input<'a>>,
    first_column: usize,
    gain: &'a Tensor,
    stream: Stream<'a>,
) {
    let Stream { hidden, weighted, squares } = stream;
    let hidden_size = hidden.shape()[1];
    assert!(hidden_size >= first_column + weight.shape()[0], "residual: hidden {hidden_size}");
    assert!(
        [rows.start, rows.end, first_column].iter().all(|row| row.is_multiple_of(TILE)),
        "residual: {rows:?}"
    );
    stream.check();
    assert_eq!(gain.shape(), [1, hidden_size], "residual: gain");
    let product = Product {
        name: "residual",
        weight,
        rows,
        input: input.into(),
        tiles: Tiles::One,
        store: vec![include_str!("residual.wgsl")],
        constants: vec![Constant::U32("OUT_TILE", (first_column / TILE) as u32)],
        outputs: vec![
            (Access::Read, gain),
            (Access::Write, hidden),
            (Access::Write, weighted),
            (Access::Write, squares),
        ],
    };
    product.dispatch(plan);
}

impl Stream<'_> {
    /// Panics if its tensors are not of one stream.
    pub(crate) fn check(&self) {
        let hidden_size = self.hidden.shape()[1];
        assert_eq!(self.weighted.shape(), [1, hidden_size], "stream: weighted");
        assert_eq!(self.squares.shape(), [1, hidden_size / 4], "stream: squares");
    }
}

#[cfg(test)]
mod tests {
    use pollster::block_on;

    use super::*;
    use crate::check::{self, Reads, assert_close, gpus, random, types, upload, weight};
    use crate::matvec::tests::reference;
    use crate::{StepParams, WeightType};

    /// Every type on every tier: what is in the rows' columns of the stream afterwards, and that the others are left alone.
    #[track_caller]
    fn check(all_rows: usize, rows: Range<usize>, blocks: usize, first_column: usize, hidden_size: usize) {
        for gpu in gpus() {
            for (seed, dtype) in types(&gpu, &WeightType::ALL) {
                let columns = (blocks * 32).next_multiple_of(dtype.columns_multiple());
                let (weight, values) = weight(&gpu, seed, dtype, [all_rows, columns]);
                let x = random(seed + 90, columns);
                let (x_gpu, reads) = (upload(&gpu, "x", [1, columns], &x), Reads::new(&gpu, 1, columns));
                let stream = check::Stream::new(&gpu, seed + 91, hidden_size);
                let params = StepParams { seq_len: 1, ..Default::default() };
                let hidden = check::run(&gpu, params, &stream.hidden, |plan| {
                    let (input, gain) = (reads.input(plan, &x_gpu), &stream.gain);
                    residual(plan, &weight, rows.clone(), input, first_column, gain, stream.borrowed());
                });

                let y = reference(&values[rows.start * columns..rows.end * columns], &reads.plain(&x));
                let changed = first_column + rows.start..first_column + rows.end;
                let expected = stream.after(changed, &y);
                let read = |tensor| block_on(gpu.read_f32(tensor)).unwrap();
                let what = format!("{:?} {dtype:?} {rows:?} of [{all_rows}, {columns}]", gpu.tier());
                assert_close(&format!("{what}: hidden"), &hidden, &expected.hidden, 1e-5);
                assert_close(&format!("{what}: weighted"), &read(&stream.weighted), &expected.weighted, 1e-5);
                assert_close(&format!("{what}: squares"), &read(&stream.squares), &expected.squares, 1e-5);
            }
        }
    }

    #[test]
    fn all_rows() {
        check(64, 0..64, 3, 0, 64);
    }

    #[test]
    fn some_rows_leave_the_others_alone() {
        check(64, 8..20, 2, 32, 128);
        check(36, 32..36, 71, 60, 96);
    }

    #[test]
    fn smollm2_down_proj() {
        check(576, 0..576, 48, 0, 576);
    }
}
