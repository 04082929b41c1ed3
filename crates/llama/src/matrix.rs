//! A weight matrix as the model sees it: one, though its rows may lie in several buffers.
//!
//! Rows part for two reasons. q, k and v (gate and up) are stacked into one matrix, so that one dispatch computes
//! them; where their types differ they keep buffers of their own. And a matrix larger than the device binds at once
//! is cut into shards.
//!
//! Columns may be in an order that is not the activations', and not the same for all rows: see [`ColumnOrders`].

use std::ops::Range;

use format::layout::TILE;
use format::{GgmlType, LaidRows};
use gpu::{Allocator, Gpu, GpuError, PlanBuilder, Tensor};
use kernels::{
    Attending, Input, MatmulForm, Normed, Output, Stream, Weight, WeightType, embed, embed_one, gate_up,
    matmul, matvec, qkv, residual,
};

use crate::column_order::ColumnOrders;
use crate::prepared::Prepared;

/// A matrix `[rows, columns]` in parts.
#[derive(Debug)]
pub(crate) struct Matrix {
    columns: usize,
    parts: Vec<Part>,
    orders: ColumnOrders,
}

#[derive(Debug)]
struct Part {
    first_row: usize,
    weight: Weight,
}

/// Rows of one type, to be stacked on others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stack {
    pub(crate) dtype: WeightType,
    pub(crate) rows: usize,
}

/// What one dispatch of a product computes.
struct Piece<'a> {
    weight: &'a Weight,
    /// Of its own rows.
    rows: Range<usize>,
    /// Where its first row is in the matrix.
    first_row: usize,
    /// The activations, in the order of these rows' columns, and in whole numbers where they are multiplied so.
    input: Input<'a>,
}

impl Matrix {
    /// Zeroed room for matrices of equal `columns`, stacked.
    pub(crate) fn new(
        make: &Allocator,
        label: &str,
        columns: usize,
        stacks: &[Stack],
        binding_bytes: u64,
    ) -> Result<Matrix, GpuError> {
        let mut parts = Vec::new();
        let mut first_row = 0;
        for Stack { dtype, rows } in merge(stacks) {
            let end = first_row + rows;
            // Not even one tile fits only on a device below WebGPU's minimum; allocation then says so.
            let most = dtype.rows_in(binding_bytes, columns).max(4);
            while first_row < end {
                let rows = most.min(end - first_row);
                let weight = Weight::new(make, label, dtype, [rows, columns])?;
                parts.push(Part { first_row, weight });
                first_row += rows;
            }
        }
        Ok(Matrix { columns, parts, orders: ColumnOrders::new(first_row) })
    }

    /// Bytes on the device.
    pub(crate) fn bytes(&self) -> u64 {
        self.parts.iter().map(|part| part.weight.bytes()).sum::<u64>() + self.orders.bytes()
    }

    /// Output features.
    pub(crate) fn rows(&self) -> usize {
        self.parts.last().map_or(0, |part| part.first_row + part.weight.shape()[0])
    }

    /// Input features.
    pub(crate) fn columns(&self) -> usize {
        self.columns
    }

    /// Puts whole rows in place, as [`Weight::write_rows`] does. They may cross shards.
    pub(crate) fn write_rows(&self, gpu: &Gpu, first_row: usize, source: GgmlType, bytes: &[u8]) {
        let row_bytes = self.columns / source.block_len() * source.block_bytes();
        let given = first_row..first_row + bytes.len() / row_bytes;
        for part in &self.parts {
            let Some(rows) = part.of_its_own(&given) else { continue };
            let before = (part.first_row + rows.start - first_row) * row_bytes;
            let bytes = &bytes[before..before + rows.len() * row_bytes];
            part.weight.write_rows(gpu, rows.start, source, bytes);
        }
    }

    /// Puts whole rows in place that are laid out already, as [`Weight::write_laid`] does. They may cross shards,
    /// which begin with a tile.
    pub(crate) fn write_laid(&self, gpu: &Gpu, first_row: usize, rows: LaidRows) {
        let LaidRows { dtype, words, scales } = rows;
        let (row_words, tile_words) = (dtype.row_words(self.columns), dtype.tile_scale_words(self.columns));
        let end = first_row + words.len() / row_words;
        for part in &self.parts {
            let [part_rows, _] = part.weight.shape();
            let from = first_row.max(part.first_row);
            let to = end.min(part.first_row + part_rows);
            if from < to {
                let words = &words[(from - first_row) * row_words..(to - first_row) * row_words];
                let tiles = [(from - first_row) / TILE, (to - first_row).div_ceil(TILE)];
                let [first, last] = tiles.map(|tile| tile * tile_words);
                let rows = LaidRows { dtype, words, scales: &scales[first..last] };
                part.weight.write_laid(gpu, from - part.first_row, rows);
            }
        }
    }

    /// Notes that the columns of some rows are in this order, `[columns]`.
    pub(crate) fn note_order(&self, rows: Range<usize>, order: &[u32]) {
        self.orders.note(rows, order);
    }

    /// The orders of its columns.
    pub(crate) fn orders(&self) -> &ColumnOrders {
        &self.orders
    }

    /// Puts the orders that were noted on the device.
    pub(crate) fn settle_orders(&mut self, gpu: &Gpu, make: &Allocator) -> Result<(), GpuError> {
        self.orders.settle(gpu, make)
    }

    /// Adds `out = X Wᵀ` to the plan, for the step's tokens: a dispatch for each part. Where columns are in an order of
    /// their own, a gather comes first, and where whole numbers are multiplied, their rounding; here as in all that follows.
    pub(crate) fn product<'a>(
        &'a self,
        plan: &mut PlanBuilder<'a>,
        form: MatmulForm,
        x: &'a Tensor,
        prepared: &'a Prepared,
        output: Output,
        out: &'a Tensor,
    ) {
        self.pieces(plan, x.into(), prepared, |plan, Piece { weight, rows, first_row, input }| {
            matmul(form, plan, weight, rows, input, output.shifted(first_row), out);
        });
    }

    /// Adds the same of one token to the plan, whose activations are normalised on the way.
    pub(crate) fn product_of_one<'a>(
        &'a self,
        plan: &mut PlanBuilder<'a>,
        input: Normed<'a>,
        prepared: &'a Prepared,
        out: &'a Tensor,
    ) {
        self.pieces(plan, input.into(), prepared, |plan, Piece { weight, rows, first_row, input }| {
            matvec(plan, weight, rows, input, first_row, out);
        });
    }

    /// Adds q, k and v of one token to the plan; see [`qkv`].
    pub(crate) fn qkv<'a>(
        &'a self,
        plan: &mut PlanBuilder<'a>,
        input: Normed<'a>,
        prepared: &'a Prepared,
        attending: Attending<'a>,
    ) {
        self.pieces(plan, input.into(), prepared, |plan, Piece { weight, rows, first_row, input }| {
            qkv(plan, weight, rows, input, first_row, attending);
        });
    }

    /// Adds `act = silu(gate) * up` of one token to the plan, if gate and up lie in one buffer and their columns in one
    /// order; else does nothing and says so.
    pub(crate) fn gate_up<'a>(
        &'a self,
        plan: &mut PlanBuilder<'a>,
        input: Normed<'a>,
        prepared: &'a Prepared,
        act: &'a Tensor,
    ) -> bool {
        let is_one = self.parts.len() == 1 && self.orders.runs().len() == 1;
        if is_one {
            self.pieces(plan, input.into(), prepared, |plan, Piece { weight, input, .. }| {
                gate_up(plan, weight, input, act);
            });
        }
        is_one
    }

    /// Adds `h += W x` of one token to the plan; `gain` is of the next norm. See [`residual`].
    pub(crate) fn residual<'a>(
        &'a self,
        plan: &mut PlanBuilder<'a>,
        x: &'a Tensor,
        prepared: &'a Prepared,
        gain: &'a Tensor,
        stream: Stream<'a>,
    ) {
        self.pieces(plan, x.into(), prepared, |plan, Piece { weight, rows, first_row, input }| {
            residual(plan, weight, rows, input, first_row, gain, stream);
        });
    }

    fn pieces<'a>(
        &'a self,
        plan: &mut PlanBuilder<'a>,
        input: Input<'a>,
        prepared: &'a Prepared,
        mut add: impl FnMut(&mut PlanBuilder<'a>, Piece<'a>),
    ) {
        for run in self.orders.runs() {
            let input = prepared.in_order(plan, input, run.order.as_ref());
            let mut rounded = None; // Once for all parts.
            for part in &self.parts {
                let Some(rows) = part.of_its_own(&run.rows) else { continue };
                let input = match part.weight.has_quants() {
                    true => *rounded.get_or_insert_with(|| prepared.rounded(plan, input)),
                    false => input,
                };
                add(plan, Piece { weight: &part.weight, rows, first_row: part.first_row, input });
            }
        }
    }

    /// Whether any of it is whole numbers and scales.
    pub(crate) fn has_quants(&self) -> bool {
        self.parts.iter().any(|part| part.weight.has_quants())
    }

    /// Adds the look-up of the tokens' rows to the plan, with columns as they are stored: a dispatch for each part.
    pub(crate) fn embed<'a>(&'a self, plan: &mut PlanBuilder<'a>, tokens: &'a Tensor, out: &'a Tensor) {
        for part in &self.parts {
            embed(plan, &part.weight, part.first_row, tokens, out);
        }
    }

    /// The same of the first token, whose residual stream it begins; `gain` is of the first norm.
    pub(crate) fn embed_one<'a>(
        &'a self,
        plan: &mut PlanBuilder<'a>,
        tokens: &'a Tensor,
        gain: &'a Tensor,
        stream: Stream<'a>,
    ) {
        for part in &self.parts {
            embed_one(plan, &part.weight, part.first_row, tokens, gain, stream);
        }
    }
}

impl Part {
    /// Which of the matrix's `rows` it has, counted from its own first; none if it has none of them.
    fn of_its_own(&self, rows: &Range<usize>) -> Option<Range<usize>> {
        let [count, _] = self.weight.shape();
        let from = rows.start.max(self.first_row);
        let to = rows.end.min(self.first_row + count);
        (from < to).then(|| from - self.first_row..to - self.first_row)
    }
}

/// Neighbours of one type share a buffer, if the seam falls between two tiles of 4 rows.
fn merge(stacks: &[Stack]) -> Vec<Stack> {
    let mut merged: Vec<Stack> = Vec::new();
    for &stack in stacks {
        match merged.last_mut() {
            Some(last) if last.dtype == stack.dtype && last.rows % 4 == 0 => last.rows += stack.rows,
            _ => merged.push(stack),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use gpu::{Tier, TierChoice};
    use kernels::StepParams;
    use pollster::block_on;

    use super::*;

    #[track_caller]
    fn check(stacks: &[(WeightType, usize)], expected: &[(WeightType, usize)]) {
        let stacks: Vec<Stack> = stacks.iter().map(|&(dtype, rows)| Stack { dtype, rows }).collect();
        let merged: Vec<_> = merge(&stacks).iter().map(|stack| (stack.dtype, stack.rows)).collect();
        assert_eq!(merged, expected);
    }

    #[test]
    fn neighbours_of_one_type_share_a_buffer() {
        use WeightType::{Q4, Q8};
        check(&[(Q4, 576), (Q4, 192), (Q4, 192)], &[(Q4, 960)]);
        check(&[(Q4, 576), (Q8, 192), (Q8, 192)], &[(Q4, 576), (Q8, 384)]);
        check(&[(Q4, 576), (Q8, 192), (Q4, 192)], &[(Q4, 576), (Q8, 192), (Q4, 192)]);
        check(&[(Q4, 6), (Q4, 8), (Q4, 8)], &[(Q4, 6), (Q4, 16)]);
    }

    const COLUMNS: usize = 32;

    /// Which activation a stored column belongs to.
    type Order = fn(usize) -> usize;

    /// Three tensors of 12, 8 and 13 rows in shards of 8; each may have an order. Row r of W has r + 1 at one stored
    /// column, so that `out` tells which activation it was multiplied with.
    #[track_caller]
    fn check_orders(orders: [Option<Order>; 3]) {
        check_orders_in(Numbers::Floats, orders);
        check_orders_in(Numbers::Bytes, orders);
    }

    #[track_caller]
    fn check_orders_in(numbers: Numbers, orders: [Option<Order>; 3]) {
        let (tier, dtype) = match numbers {
            Numbers::Floats => (TierChoice::Plain, WeightType::F32),
            Numbers::Bytes => (TierChoice::Int8, WeightType::Q8),
        };
        let gpu = block_on(Gpu::request(tier)).unwrap();
        let stacks = [12, 8, 13].map(|rows| Stack { dtype, rows });
        let shard_bytes = (8 * dtype.row_words(COLUMNS) * 4) as u64;
        let make = |make: &Allocator| Matrix::new(make, "W", COLUMNS, &stacks, shard_bytes);
        let mut matrix = block_on(gpu.allocate("W", make)).unwrap();
        assert_eq!(matrix.parts.len(), 5);

        let x: Vec<f32> = (0..COLUMNS * 2).map(|i| (10 * i) as f32 + 3.0).collect();
        let mut expected = vec![0.0; 2 * 33];
        let mut first = 0;
        for (order, stack) in orders.iter().zip(stacks) {
            let mut bytes = Vec::new();
            for row in first..first + stack.rows {
                let (column, weight) = (row * 7 % COLUMNS, row as f32 + 1.0);
                bytes.extend(numbers.row(column, weight));
                let input = order.map_or(column, |order| order(column));
                for token in 0..2 {
                    expected[token * 33 + row] = x[token * COLUMNS + input] * weight;
                }
            }
            matrix.write_rows(&gpu, first, dtype.blocks(), &bytes);
            if let Some(order) = order {
                let order: Vec<u32> = (0..COLUMNS).map(|column| order(column) as u32).collect();
                matrix.note_order(first..first + stack.rows, &order);
            }
            first += stack.rows;
        }
        for (tokens, rows) in [(Tokens::Two, 2 * 33), (Tokens::One, 33)] {
            let got = product(&gpu, &mut matrix, tokens, &x);
            for (index, (got, expected)) in got.iter().zip(&expected[..rows]).enumerate() {
                // Activations lie 10 apart, and those in bytes are rounded.
                let most = if numbers == Numbers::Bytes { 0.02 * (index % 33 + 1) as f32 } else { 0.0 };
                let what = format!("{numbers:?}, {tokens:?}, {index}");
                assert!((got - expected).abs() <= most, "{what}: got {got}, expected {expected}");
            }
        }
    }

    /// What is multiplied.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum Numbers {
        Floats,
        Bytes,
    }

    impl Numbers {
        /// A row that is zeros but for one weight, a small whole number.
        fn row(self, column: usize, weight: f32) -> Vec<u8> {
            match self {
                Numbers::Floats => {
                    let values = (0..COLUMNS).map(|at| if at == column { weight } else { 0.0 });
                    values.flat_map(f32::to_le_bytes).collect()
                }
                Numbers::Bytes => {
                    let mut block = vec![0; 2 + COLUMNS];
                    block[..2].copy_from_slice(&[0x00, 0x3C]); // A scale of 1.
                    block[2 + column] = weight as u8;
                    block
                }
            }
        }
    }

    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum Tokens {
        One,
        Two,
    }

    /// `out`, `[2, 33]`. Of one token, by the kernel for one, whose activations have squares of a sum that leaves them as
    /// they are.
    fn product(gpu: &Gpu, matrix: &mut Matrix, tokens: Tokens, x: &[f32]) -> Vec<f32> {
        let make = |make: &Allocator| {
            matrix.settle_orders(gpu, make)?;
            let rounded = (gpu.tier() == Tier::Int8).then_some(COLUMNS);
            let prepared = Prepared::new(make, 2, [COLUMNS], rounded)?;
            let squares = make.uniform("squares", [1, COLUMNS / 4])?;
            Ok((prepared, squares, make.tensor("x", [2, COLUMNS])?, make.tensor("out", [2, 33])?))
        };
        let (prepared, squares, x_gpu, out) = block_on(gpu.allocate("the operands", make)).unwrap();
        gpu.write_f32(&x_gpu, 0, x);
        gpu.write_f32(&squares, 0, &[4.0; COLUMNS / 4]);
        let mut plan = gpu.plan();
        match tokens {
            Tokens::Two => {
                let form = MatmulForm::of_many(gpu);
                matrix.product(&mut plan, form, &x_gpu, &prepared, Output::Columns(0), &out);
            }
            Tokens::One => {
                let input = Normed { weighted: &x_gpu, squares: &squares, eps: 0.0 };
                matrix.product_of_one(&mut plan, input, &prepared, &out);
            }
        }
        let plan = block_on(plan.finish()).unwrap();
        let params = StepParams { seq_len: 2, ..Default::default() };
        gpu.step(2, &params).run(&plan).submit().unwrap();
        block_on(gpu.read_f32(&out)).unwrap()
    }

    #[test]
    fn columns_have_an_order_whatever_the_shards() {
        let reversed: Order = |column| COLUMNS - 1 - column;
        let turned: Order = |column| (column + 5) % COLUMNS;
        check_orders([None, None, None]);
        check_orders([Some(turned); 3]);
        check_orders([Some(turned), Some(reversed), None]);
        check_orders([None, Some(turned), Some(reversed)]);
    }
}
