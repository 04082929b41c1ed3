//! Embedding: `out[token] = E[id of token]`, unpacked from the table's own type.

use gpu::{Access, Constant, Extent, Kernel, Needs, PlanBuilder, Tensor};

use crate::Weight;
use crate::step::STEP;

const WORKGROUP_SIZE: u32 = 64;

/// Shapes: `table` `[rows, hidden_size]`, the rows from `first_row` on of the whole; `tokens` `[1, chunk]`;
/// `out` `[chunk, hidden_size]`. Tokens whose row is in another shard are left alone.
/// Panics if the shapes disagree: that is a mistake in our code, not in a model file.
pub fn embed<'a>(
    plan: &mut PlanBuilder<'a>,
    table: &'a Weight,
    first_row: usize,
    tokens: &'a Tensor,
    out: &'a Tensor,
) {
    assert_eq!(out.shape(), [tokens.shape()[1], table.shape()[1]], "embed: out");

    let kernel = Kernel {
        name: "embed",
        wgsl: [vec![STEP], table.wgsl(), vec![include_str!("embed.wgsl")]].concat(),
        bindings: &[Access::Read, Access::Read, Access::Read, Access::Write],
        needs: Needs::Nothing,
    };
    let mut constants =
        vec![Constant::U32("WORKGROUP_SIZE", WORKGROUP_SIZE), Constant::U32("FIRST_ROW", first_row as u32)];
    constants.extend(table.constants());
    let tensors = [&table.words, &table.scales, tokens, out];
    plan.dispatch(kernel, &constants, &tensors, [Extent::Tokens(1), Extent::Fixed(1), Extent::Fixed(1)]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{assert_close, gpu, random, run, upload, weight};
    use crate::{StepParams, WeightType};

    const ROWS: usize = 37;

    /// The table is rows 10 to 47 of a larger one. Ids outside it leave `out` as it was.
    #[track_caller]
    fn check(ids: &[u32], blocks: usize) {
        const FIRST_ROW: usize = 10;
        let gpu = gpu();
        for (seed, dtype) in (1..).zip(WeightType::ALL) {
            let columns = (blocks * 32).next_multiple_of(dtype.columns_multiple());
            let (table, values) = weight(&gpu, seed, dtype, [ROWS, columns]);
            let tokens = upload(&gpu, "tokens", [1, ids.len()], &vec![0.0; ids.len()]);
            gpu.write(&tokens, 0, ids);
            let before = random(seed + 90, ids.len() * columns);
            let out = upload(&gpu, "out", [ids.len(), columns], &before);

            let params = StepParams { seq_len: ids.len() as u32, ..Default::default() };
            let got = run(&gpu, params, &out, |plan| embed(plan, &table, FIRST_ROW, &tokens, &out));

            let mut expected = before;
            for (into, id) in expected.chunks_exact_mut(columns).zip(ids) {
                if let Some(row) = (*id as usize).checked_sub(FIRST_ROW).filter(|row| *row < ROWS) {
                    into.copy_from_slice(&values[row * columns..][..columns]);
                }
            }
            assert_close(&format!("{dtype:?} {ids:?}"), &got, &expected, 1e-6);
        }
    }

    #[test]
    fn one_token() {
        check(&[11], 1);
    }

    #[test]
    fn every_row_of_a_tile_and_the_last_one() {
        check(&[10, 11, 12, 13, 46], 70);
    }

    #[test]
    fn rows_of_other_shards_are_left_alone() {
        check(&[9, 46, 47, 0, u32::MAX, 25], 3);
    }
}
