//! A weight matrix as the model sees it: one, though its rows may lie in several buffers.
//!
//! Rows part for two reasons. q, k and v (gate and up) are stacked into one matrix, so that one dispatch computes
//! them; where their types differ they keep buffers of their own. And a matrix larger than the device binds at once
//! is cut into shards.

use format::GgmlType;
use gpu::{Allocator, Gpu, GpuError, PlanBuilder, Tensor};
use kernels::{Output, Weight, WeightType, embed, matmul, matvec};

/// A matrix `[rows, columns]` in parts.
#[derive(Debug)]
pub(crate) struct Matrix {
    columns: usize,
    parts: Vec<Part>,
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

/// What a product is for, which decides the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Many tokens.
    Prefill,
    /// One token.
    Decode,
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
        Ok(Matrix { columns, parts })
    }

    /// Bytes on the device.
    pub(crate) fn bytes(&self) -> u64 {
        self.parts.iter().map(|part| part.weight.bytes()).sum()
    }

    /// Puts whole rows in place, as [`Weight::write_rows`] does. They may cross shards.
    pub(crate) fn write_rows(&self, gpu: &Gpu, first_row: usize, source: GgmlType, bytes: &[u8]) {
        let row_bytes = self.columns / source.block_len() * source.block_bytes();
        let end = first_row + bytes.len() / row_bytes;
        for part in &self.parts {
            let [rows, _] = part.weight.shape();
            let from = first_row.max(part.first_row);
            let to = end.min(part.first_row + rows);
            if from < to {
                let bytes = &bytes[(from - first_row) * row_bytes..(to - first_row) * row_bytes];
                part.weight.write_rows(gpu, from - part.first_row, source, bytes);
            }
        }
    }

    /// Adds `out = X Wᵀ` to the plan: a dispatch for each part.
    pub(crate) fn product<'a>(
        &'a self,
        plan: &mut PlanBuilder<'a>,
        phase: Phase,
        x: &'a Tensor,
        output: Output,
        out: &'a Tensor,
    ) {
        for part in &self.parts {
            let output = output.shifted(part.first_row);
            match phase {
                Phase::Prefill => matmul(plan, &part.weight, x, output, out),
                Phase::Decode => matvec(plan, &part.weight, x, output, out),
            }
        }
    }

    /// Adds the look-up of the tokens' rows to the plan: a dispatch for each part.
    pub(crate) fn embed<'a>(&'a self, plan: &mut PlanBuilder<'a>, tokens: &'a Tensor, out: &'a Tensor) {
        for part in &self.parts {
            embed(plan, &part.weight, part.first_row, tokens, out);
        }
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
}
