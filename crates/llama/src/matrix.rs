//! A weight matrix as the model sees it: one, though its rows may lie in several buffers.
//!
//! Rows part for two reasons. q, k and v (gate and up) are stacked into one matrix, so that one dispatch computes
//! them; where their types differ they keep buffers of their own. And a matrix larger than the device binds at once
//! is cut into shards.
//!
//! Columns may be in an order that is not the activations', and not the same for all rows: see [`ColumnOrders`].

mod part;
mod reads;

use std::ops::Range;

use format::layout::TILE;
use format::{GgmlType, LaidRows};
use gpu::{Allocator, Gpu, GpuError, PlanBuilder, Tensor};
use kernels::{
    Attended, Attending, Input, MatmulForm, Normed, Output, Stream, Weight, embed, embed_one, gate_up,
    made_up, matmul, matvec, qkv, residual,
};

pub(crate) use self::part::Stack;
use self::part::{Part, merge};
use self::reads::Reads;
use crate::column_order::ColumnOrders;
use crate::prepared::Prepared;

/// A matrix `[rows, columns]` in parts.
#[derive(Debug)]
pub(crate) struct Matrix {
    columns: usize,
    parts: Vec<Part>,
    orders: ColumnOrders,
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
    /// their own, a gather comes first, and where whole numbers are multiplied, their rounding: here as the form says, in
    /// all that follows as the tier does.
    pub(crate) fn product<'a>(
        &'a self,
        plan: &mut PlanBuilder<'a>,
        form: MatmulForm,
        x: &'a Tensor,
        prepared: &'a Prepared,
        output: Output,
        out: &'a Tensor,
    ) {
        let reads = Reads::of_many(form);
        self.pieces(plan, x.into(), prepared, reads, |plan, Piece { weight, rows, first_row, input }| {
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
        let reads = Reads::of_one(plan.gpu());
        self.pieces(plan, input.into(), prepared, reads, |plan, Piece { weight, rows, first_row, input }| {
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
        let reads = Reads::of_one(plan.gpu());
        self.pieces(plan, input.into(), prepared, reads, |plan, Piece { weight, rows, first_row, input }| {
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
            let reads = Reads::of_one(plan.gpu());
            self.pieces(plan, input.into(), prepared, reads, |plan, Piece { weight, input, .. }| {
                gate_up(plan, weight, input, act);
            });
        }
        is_one
    }

    /// One token's attention as this matrix reads it: straight from splits to whole numbers, where all rows multiply those
    /// and in the order of the activations.
    pub(crate) fn attended<'a>(
        &self,
        plan: &mut PlanBuilder<'a>,
        attended: Attended<'a>,
        prepared: &'a Prepared,
    ) -> Input<'a> {
        let is_rounded = Reads::of_one(plan.gpu()) == Reads::WholeNumbers
            && self.parts.iter().all(|part| part.weight.has_quants())
            && !self.orders.is_any();
        match prepared.room(self.columns).filter(|_| is_rounded) {
            Some(rounded) => {
                attended.rounded(plan, rounded);
                rounded.into()
            }
            None => attended.combined(plan).into(),
        }
    }

    /// Adds `h += W x` of one token to the plan; `gain` is of the next norm. See [`residual`].
    pub(crate) fn residual<'a>(
        &'a self,
        plan: &mut PlanBuilder<'a>,
        x: Input<'a>,
        prepared: &'a Prepared,
        gain: &'a Tensor,
        stream: Stream<'a>,
    ) {
        let reads = Reads::of_one(plan.gpu());
        self.pieces(plan, x, prepared, reads, |plan, Piece { weight, rows, first_row, input }| {
            residual(plan, weight, rows, input, first_row, gain, stream);
        });
    }

    fn pieces<'a>(
        &'a self,
        plan: &mut PlanBuilder<'a>,
        input: Input<'a>,
        prepared: &'a Prepared,
        reads: Reads,
        mut add: impl FnMut(&mut PlanBuilder<'a>, Piece<'a>),
    ) {
        for run in self.orders.runs() {
            let input = prepared.in_order(plan, input, run.order.as_ref());
            let mut rounded = None; // Once for all parts.
            for part in &self.parts {
                let Some(rows) = part.of_its_own(&run.rows) else { continue };
                let input = match part.weight.has_quants() && reads == Reads::WholeNumbers {
                    true => *rounded.get_or_insert_with(|| prepared.rounded(plan, input)),
                    false => input,
                };
                add(plan, Piece { weight: &part.weight, rows, first_row: part.first_row, input });
            }
        }
    }

    /// Adds to the plan what fills it with made-up weights, others in each part.
    pub(crate) fn made_up<'a>(&'a self, plan: &mut PlanBuilder<'a>, seed: u32) {
        for part in &self.parts {
            made_up(plan, &part.weight, seed.wrapping_add(part.first_row as u32).wrapping_mul(0x9E37_79B9));
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

#[cfg(test)]
mod tests;
