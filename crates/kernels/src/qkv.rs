//! q, k and v of one token in one dispatch: normalised product, RoPE, and the way into the KV cache.

use std::ops::Range;

use format::layout::TILE;
use gpu::{Access, Constant, PlanBuilder, Tensor};

use crate::matvec::{Product, Tiles};
use crate::{Input, KvCache, Weight};

/// Whether [`qkv`] can fill this cache: one whose parts are one, and whose values have no scales in common, which would
/// take more of a head at once than a tile has. Else there are [`matvec`](crate::matvec()) and [`rope`](crate::rope()).
pub fn fills(cache: &KvCache) -> bool {
    cache.parts().len() == 1 && cache.dtype().span(cache.heads().head_dim) == 1
}

/// How q and k are turned, and where q, k and v go.
#[derive(Clone, Copy, Debug)]
pub struct Attending<'a> {
    /// (cos, sin) pairs: `[1 or more, head_dim]`, of which the first row is the token's.
    pub turns: &'a Tensor,
    /// `[1 or more, heads * head_dim]`, of which the first row is the token's.
    pub q: &'a Tensor,
    /// One that [`fills`] is true of.
    pub cache: &'a KvCache,
}

/// Shapes: `weight` `[all rows, columns]`, whose `rows` are computed, both ends multiples of 4; the first of all rows is
/// column `first_column` of q, k and v side by side, `[(heads + 2 kv_heads) * head_dim]`.
/// Panics if they disagree, or if the cache is none that this fills: that is a mistake in our code, not in a model file.
pub fn qkv<'a>(
    plan: &mut PlanBuilder<'a>,
    weight: &'a Weight,
    rows: Range<usize>,
    input: impl Into<Input<'a>>,
    first_column: usize,
    attending: Attending<'a>,
) {
    let Attending { turns, q, cache } = attending;
    let heads = cache.heads();
    assert!(fills(cache), "qkv: a cache of {} parts, {:?}", cache.parts().len(), cache.dtype());
    assert!(heads.qkv_columns() >= first_column + weight.shape()[0], "qkv: columns");
    assert!([rows.start, rows.end, first_column].iter().all(|row| row.is_multiple_of(TILE)), "qkv: {rows:?}");
    assert_eq!(turns.shape()[1], heads.head_dim, "qkv: turns");
    assert_eq!(q.shape()[1], heads.q_columns(), "qkv: q");
    let part = &cache.parts()[0];
    let [quad, kv] = cache.dtype().wgsl();
    let mut constants = vec![Constant::U32("OUT_TILE", (first_column / TILE) as u32)];
    constants.extend(cache.constants(part));
    let product = Product {
        name: "qkv",
        weight,
        rows,
        input: input.into(),
        tiles: Tiles::One,
        store: vec![quad, kv, include_str!("turn.wgsl"), include_str!("qkv.wgsl")],
        constants,
        outputs: vec![
            (Access::Read, turns),
            (Access::Write, q),
            (Access::Write, &part.keys),
            (Access::Write, &part.values),
        ],
    };
    product.dispatch(plan);
}

#[cfg(test)]
mod tests {
    use gpu::Allocator;
    use pollster::block_on;

    use super::*;
    use crate::check::{Reads, Stream, assert_close, gpus, random, run, types, upload, weight};
    use crate::kv::Half;
    use crate::matvec::tests::reference;
    use crate::{Heads, KvType, StepParams, WeightType};

    const POSITION: usize = 70; // In the second block of positions.

    /// The same as the product and `rope` give, each of which is held to its own reference: q turned, k turned and kept,
    /// v kept. Turns are any numbers.
    #[track_caller]
    fn check(heads: Heads, kv: KvType, dtypes: &[WeightType]) {
        for gpu in gpus() {
            for (seed, dtype) in types(&gpu, dtypes) {
                let columns = 96usize.next_multiple_of(dtype.columns_multiple());
                let (weight, values) = weight(&gpu, seed, dtype, [heads.qkv_columns(), columns]);
                let (stream, reads) = (Stream::new(&gpu, seed + 90, columns), Reads::new(&gpu, 2, columns));
                let by = random(seed + 91, heads.head_dim);
                let turns = upload(&gpu, "turns", [2, heads.head_dim], &by);
                let q = upload(&gpu, "q", [2, heads.q_columns()], &[]);
                let make = |make: &Allocator| KvCache::new(make, heads, kv, POSITION + 1, 1 << 30);
                let cache = block_on(gpu.allocate("kv", make)).unwrap();

                let params = StepParams { position: POSITION as u32, seq_len: 1, ..Default::default() };
                let split = heads.q_columns();
                let attending = Attending { turns: &turns, q: &q, cache: &cache };
                let got = run(&gpu, params, &q, |plan| {
                    let input = reads.input(plan, stream.normed());
                    // In two dispatches, as where q and the others are of two types.
                    for rows in [0..split, split..heads.qkv_columns()] {
                        qkv(plan, &weight, rows, input, 0, attending);
                    }
                });

                let mut row = reference(&values, &reads.normed(&stream));
                for head in row[..split + heads.kv_columns()].chunks_exact_mut(heads.head_dim) {
                    for (pair, by) in head.chunks_exact_mut(2).zip(by.chunks_exact(2)) {
                        let [x, y] = [pair[0], pair[1]];
                        pair[0] = x * by[0] - y * by[1];
                        pair[1] = x * by[1] + y * by[0];
                    }
                }
                let stored = |half| -> Vec<f32> {
                    let words = cache.read(&gpu, half);
                    (0..heads.kv_heads).flat_map(|head| cache.get(&words, half, head, POSITION)).collect()
                };
                let what = format!("{:?} {dtype:?} {kv:?}", gpu.tier());
                let bound = if kv == KvType::F32 { 1e-5 } else { 1e-3 };
                let (keys, values) = row[split..].split_at(heads.kv_columns());
                assert_close(&format!("{what}: q"), &got[..split], &row[..split], 1e-5);
                assert!(got[split..].iter().all(|q| *q == 0.0), "{what}: another token's q");
                assert_close(&format!("{what}: k"), &stored(Half::Keys), keys, bound);
                assert_close(&format!("{what}: v"), &stored(Half::Values), values, bound);
            }
        }
    }

    #[test]
    fn heads_in_groups_and_of_any_width() {
        let dtypes = [WeightType::Q4, WeightType::F32];
        check(Heads { heads: 6, kv_heads: 2, head_dim: 20 }, KvType::F32, &dtypes);
        check(Heads { heads: 3, kv_heads: 3, head_dim: 64 }, KvType::F16, &dtypes);
    }

    #[test]
    fn every_type() {
        check(Heads { heads: 4, kv_heads: 1, head_dim: 128 }, KvType::F16, &WeightType::ALL);
    }

    #[test]
    fn bytes_and_parts_are_for_others_to_fill() {
        let gpu = crate::check::gpu();
        let heads = Heads { heads: 4, kv_heads: 2, head_dim: 64 };
        for (kv, binding_bytes, expected) in
            [(KvType::F16, 1 << 30, true), (KvType::I8, 1 << 30, false), (KvType::F16, 8192, false)]
        {
            let make = |make: &Allocator| KvCache::new(make, heads, kv, 64, binding_bytes);
            let cache = block_on(gpu.allocate("kv", make)).unwrap();
            assert_eq!(fills(&cache), expected, "{kv:?} in bindings of {binding_bytes}");
        }
    }
}
