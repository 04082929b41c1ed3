//! Embedding: `out[token] = E[id of token]`, unpacked from the table's own type.

use gpu::{Access, Constant, Extent, Kernel, Needs, PlanBuilder, Tensor};

use crate::step::STEP;
use crate::{Stream, Weight};

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
        wgsl: wgsl(table, include_str!("embed_rows.wgsl")),
        bindings: vec![Access::Read, Access::Read, Access::Read, Access::Write],
        needs: Needs::Nothing,
    };
    let tensors = [&table.words, &table.scales, tokens, out];
    let one = Extent::Fixed(1);
    plan.dispatch(kernel, &constants(table, first_row), &tensors, [Extent::Tokens(1), one, one]);
}

/// The same of the first token, whose residual stream it begins; `gain` `[1, hidden_size]` is the first norm's.
pub fn embed_one<'a>(
    plan: &mut PlanBuilder<'a>,
    table: &'a Weight,
    first_row: usize,
    tokens: &'a Tensor,
    gain: &'a Tensor,
    stream: Stream<'a>,
) {
    stream.check();
    assert_eq!(stream.hidden.shape()[1], table.shape()[1], "embed: hidden");
    assert_eq!(gain.shape(), [1, table.shape()[1]], "embed: gain");
    let kernel = Kernel {
        name: "embed",
        wgsl: wgsl(table, include_str!("embed_stream.wgsl")),
        bindings: vec![
            Access::Read,
            Access::Read,
            Access::Read,
            Access::Read,
            Access::Write,
            Access::Write,
            Access::Write,
        ],
        needs: Needs::Nothing,
    };
    let Stream { hidden, weighted, squares } = stream;
    let tensors = [&table.words, &table.scales, tokens, gain, hidden, weighted, squares];
    let one = Extent::Fixed(1);
    plan.dispatch(kernel, &constants(table, first_row), &tensors, [one, one, one]);
}

fn wgsl(table: &Weight, put: &'static str) -> Vec<&'static str> {
    [vec![STEP], table.wgsl(), vec![put, include_str!("embed.wgsl")]].concat()
}

fn constants(table: &Weight, first_row: usize) -> Vec<Constant> {
    let mut constants =
        vec![Constant::U32("WORKGROUP_SIZE", WORKGROUP_SIZE), Constant::U32("FIRST_ROW", first_row as u32)];
    constants.extend(table.constants());
    constants
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{self, assert_close, gpu, random, run, upload, weight};
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

    /// The stream of a token is its row; a token of another shard leaves it alone.
    #[test]
    fn one_token_begins_its_stream() {
        const FIRST_ROW: usize = 10;
        let gpu = gpu();
        for (seed, dtype) in (1..).zip(WeightType::ALL) {
            let (table, values) = weight(&gpu, seed, dtype, [ROWS, 512]);
            for (id, row) in [(FIRST_ROW + 36, Some(36)), (FIRST_ROW, Some(0)), (FIRST_ROW - 1, None)] {
                let tokens = upload(&gpu, "tokens", [1, 3], &[]);
                gpu.write(&tokens, 0, &[id as u32, 0, 0]);
                let stream = check::Stream::new(&gpu, seed + 90, 512);
                let params = StepParams { seq_len: 1, ..Default::default() };
                let hidden = run(&gpu, params, &stream.hidden, |plan| {
                    embed_one(plan, &table, FIRST_ROW, &tokens, &stream.gain, stream.borrowed());
                });
                let before = stream.after(0..0, &[]);
                let change: Vec<f32> = match row {
                    Some(row) => {
                        let row = &values[row * 512..][..512];
                        row.iter().zip(&before.hidden).map(|(new, old)| new - old).collect()
                    }
                    None => vec![0.0; 512],
                };
                let expected = stream.after(0..512, &change);
                let read = |tensor| pollster::block_on(gpu.read_f32(tensor)).unwrap();
                assert_close(&format!("{dtype:?} {id}: hidden"), &hidden, &expected.hidden, 1e-5);
                assert_close(
                    &format!("{dtype:?} {id}: weighted"),
                    &read(&stream.weighted),
                    &expected.weighted,
                    1e-5,
                );
                assert_close(
                    &format!("{dtype:?} {id}: squares"),
                    &read(&stream.squares),
                    &expected.squares,
                    1e-5,
                );
            }
        }
    }
}
