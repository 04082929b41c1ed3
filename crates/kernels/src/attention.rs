//! Causal attention over the KV cache: `out = softmax(q Kᵀ / sqrt(head_dim)) V`, for decode and prefill alike.

use std::f32::consts::LOG2_E;

use gpu::{Access, Allocator, Constant, Extent, GpuError, Kernel, Needs, PlanBuilder, Tensor};

use crate::kv::{Heads, KvCache, POSITION_BLOCK};
use crate::step::STEP;

/// Query values that a workgroup keeps at hand: with scores, statistics and room to spare inside 16 KiB.
const QUERY_VALUES: usize = 2048;

/// Of q, keys, values and what is written: one tensor or two.
const BINDINGS: [Access; 5] = [Access::Read, Access::Read, Access::Read, Access::Write, Access::Write];

/// Of the kernel that combines.
const WORKGROUP_SIZE: u32 = 64;

/// Positions up to which one workgroup takes all of a token's: fewer are not worth a dispatch more.
const WHOLE: usize = 128;

/// Into how many splits a token's positions are cut at most.
const SPLITS: usize = 32;

/// Where the splits of a token's attention lie before they are combined.
#[derive(Debug)]
pub struct SplitRoom {
    sums: Tensor,    // [SPLITS, heads * head_dim]
    weights: Tensor, // [SPLITS, 2 * heads] of (highest, total)
}

/// How the positions of a decoded token are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Splits {
    /// Workgroups for each group of heads.
    pub count: u32,
    /// Positions each of them takes: a multiple of 64.
    pub len: u32,
}

impl Splits {
    /// Those of a token that sees `kv_len` positions, itself included; none if they are too few.
    pub fn of(kv_len: usize) -> Option<Splits> {
        let len = kv_len.div_ceil(SPLITS).next_multiple_of(POSITION_BLOCK);
        (kv_len > WHOLE).then(|| Splits { count: kv_len.div_ceil(len) as u32, len: len as u32 })
    }
}

impl SplitRoom {
    /// Room for one token.
    pub fn new(make: &Allocator, heads: Heads) -> Result<SplitRoom, GpuError> {
        Ok(SplitRoom {
            sums: make.tensor("attention: sums", [SPLITS, heads.q_columns()])?,
            weights: make.tensor("attention: weights", [SPLITS, 2 * heads.heads])?,
        })
    }
}

/// A dispatch for each part of the cache, in steps without splits.
///
/// Shapes: `q` and `out` `[chunk, heads * head_dim]`. Token `i` sees the positions up to its own.
/// Panics if they disagree: that is a mistake in our code, not in a model file.
pub fn attention<'a>(plan: &mut PlanBuilder<'a>, q: &'a Tensor, cache: &'a KvCache, out: &'a Tensor) {
    assert_eq!(q.shape(), out.shape(), "attention: out");
    let grid = [Extent::Tokens(1), Extent::IfWhole];
    dispatch(plan, q, cache, include_str!("attention_whole.wgsl"), &[out], grid);
}

/// The same for the first token only, whose positions several workgroups share, as the step's [`Splits`] say, so that a
/// device is busy though there is one token. A dispatch for each part of the cache, and one that combines, in steps with
/// splits: a plan may hold this beside [`attention`], and a step runs one of them.
pub fn attention_split<'a>(
    plan: &mut PlanBuilder<'a>,
    q: &'a Tensor,
    cache: &'a KvCache,
    room: &'a SplitRoom,
    out: &'a Tensor,
) {
    let SplitRoom { sums, weights } = room;
    let heads = cache.heads();
    assert_eq!(sums.shape(), [SPLITS, heads.q_columns()], "attention: sums");
    assert_eq!(q.shape(), out.shape(), "attention: out");
    let grid = [Extent::Fixed(1), Extent::Splits];
    dispatch(plan, q, cache, include_str!("attention_split.wgsl"), &[sums, weights], grid);

    let quads = (heads.head_dim / 4) as u32;
    let kernel = Kernel {
        name: "attention_combine",
        wgsl: vec![STEP, include_str!("attention_combine.wgsl")],
        bindings: vec![Access::Read, Access::Read, Access::Write],
        needs: Needs::Nothing,
    };
    let constants = [
        Constant::U32("WORKGROUP_SIZE", WORKGROUP_SIZE),
        Constant::U32("HEADS", heads.heads as u32),
        Constant::U32("QUADS", quads),
    ];
    let groups = (heads.heads as u32 * quads).div_ceil(WORKGROUP_SIZE);
    let grid = [Extent::Fixed(groups), Extent::Fixed(1), Extent::IfSplit];
    plan.dispatch(kernel, &constants, &[sums, weights, out], grid);
}

/// The dispatches for the parts of the cache. `piece` says which positions a workgroup takes and where its sums go.
fn dispatch<'a>(
    plan: &mut PlanBuilder<'a>,
    q: &'a Tensor,
    cache: &'a KvCache,
    piece: &'static str,
    outputs: &[&'a Tensor],
    [tokens, splits]: [Extent; 2],
) {
    let heads = cache.heads();
    assert_eq!(q.shape()[1], heads.q_columns(), "attention: q");

    let [quad, kv] = cache.dtype().wgsl();
    let (group, heads_per_kv) = (group(heads), heads.heads / heads.kv_heads);
    for part in cache.parts() {
        let kernel = Kernel {
            name: "attention",
            wgsl: vec![STEP, quad, kv, piece, include_str!("attention.wgsl")],
            bindings: BINDINGS[..3 + outputs.len()].to_vec(),
            needs: Needs::Nothing,
        };
        let mut constants = vec![
            Constant::U32("GROUP", group as u32),
            Constant::U32("HEADS_PER_KV", heads_per_kv as u32),
            Constant::U32("FIRST_HEAD", (part.first_kv_head * heads_per_kv) as u32),
            Constant::F32("SCALE", LOG2_E / (heads.head_dim as f32).sqrt()),
        ];
        constants.extend(cache.constants(part));
        let groups = (part.kv_heads * heads_per_kv / group) as u32;
        let tensors = [&[q, &part.keys, &part.values], outputs].concat();
        plan.dispatch(kernel, &constants, &tensors, [Extent::Fixed(groups), tokens, splits]);
    }
}

/// Query heads a workgroup takes: as many of one kv head's as fit.
fn group(heads: Heads) -> usize {
    let of_one_kv_head = heads.heads / heads.kv_heads;
    let most = (QUERY_VALUES / heads.head_dim).clamp(1, 8);
    (1..=most).rev().find(|group| of_one_kv_head.is_multiple_of(*group)).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{assert_close, gpu, random, run, upload};
    use crate::kv::{Half, stored};
    use crate::{KvType, StepParams};
    use gpu::Gpu;
    use pollster::block_on;

    /// `keys` and `values` are `[positions, kv_heads * head_dim]`; token `i` of `q` sees `position + i + 1` of them.
    fn reference(heads: Heads, position: usize, q: &[f32], keys: &[f32], values: &[f32]) -> Vec<f32> {
        let (head_dim, width) = (heads.head_dim, heads.kv_columns());
        let mut out = Vec::new();
        for (token, row) in q.chunks_exact(heads.q_columns()).enumerate() {
            for (head, q) in row.chunks_exact(head_dim).enumerate() {
                let kv = head / (heads.heads / heads.kv_heads) * head_dim;
                let score = |p: usize| {
                    let key = &keys[p * width + kv..][..head_dim];
                    q.iter().zip(key).map(|(q, k)| f64::from(*q) * f64::from(*k)).sum::<f64>()
                        / (head_dim as f64).sqrt()
                };
                let scores: Vec<f64> = (0..=position + token).map(score).collect();
                let most = scores.iter().copied().fold(f64::MIN, f64::max);
                let weights: Vec<f64> = scores.iter().map(|score| (score - most).exp()).collect();
                let total: f64 = weights.iter().sum();
                out.extend((0..head_dim).map(|d| {
                    let value = |p: usize| f64::from(values[p * width + kv + d]);
                    (weights.iter().enumerate().map(|(p, weight)| weight * value(p)).sum::<f64>() / total)
                        as f32
                }));
            }
        }
        out
    }

    #[track_caller]
    fn check(heads: Heads, dtype: KvType, position: usize, seq_len: usize) {
        check_in_parts(heads, dtype, position, seq_len, 1 << 30);
    }

    #[track_caller]
    fn check_in_parts(heads: Heads, dtype: KvType, position: usize, seq_len: usize, binding_bytes: u64) {
        let gpu = gpu();
        let positions = position + seq_len;
        // Scores far apart and growing, so that the running maximum has to move.
        let q: Vec<f32> =
            random(1, (seq_len + 1) * heads.q_columns()).iter().map(|value| value * 8.0).collect();
        let grow =
            |(i, value): (usize, f32)| value * (1.0 + i as f32 / (positions * heads.kv_columns()) as f32);
        let keys: Vec<f32> =
            random(2, positions * heads.kv_columns()).into_iter().enumerate().map(grow).collect();
        let values = random(3, keys.len());

        let make = |make: &Allocator| KvCache::new(make, heads, dtype, positions + 64, binding_bytes);
        let cache = block_on(gpu.allocate("kv", make)).unwrap();
        let [mut key_words, mut value_words] = [Half::Keys, Half::Values].map(|half| cache.read(&gpu, half));
        // Where nothing was written lies what would show: later tokens must not be seen.
        let junk = vec![900.0; heads.head_dim];
        for (position, kv_head) in (0..positions + 64).flat_map(|p| (0..heads.kv_heads).map(move |h| (p, h)))
        {
            let at = (position * heads.kv_heads + kv_head) * heads.head_dim;
            let of = |rows: &[f32]| rows.get(at..at + heads.head_dim).unwrap_or(&junk).to_vec();
            cache.put(&mut key_words, Half::Keys, kv_head, position, &of(&keys));
            cache.put(&mut value_words, Half::Values, kv_head, position, &of(&values));
        }
        cache.write(&gpu, Half::Keys, &key_words);
        cache.write(&gpu, Half::Values, &value_words);
        let [keys, values] = [keys, values].map(|rows| {
            rows.chunks_exact(heads.head_dim).flat_map(|head| stored(dtype, head)).collect::<Vec<_>>()
        });

        let q_gpu = upload(&gpu, "q", [seq_len + 1, heads.q_columns()], &q);
        let out = upload(&gpu, "out", [seq_len + 1, heads.q_columns()], &vec![5.0; q.len()]);
        let params = StepParams { position: position as u32, seq_len: seq_len as u32, ..Default::default() };
        let got = run(&gpu, params, &out, |plan| attention(plan, &q_gpu, &cache, &out));

        let computed = seq_len * heads.q_columns();
        let expected = reference(heads, position, &q[..computed], &keys, &values);
        assert_close("out", &got[..computed], &expected, 2e-5);
        assert_eq!(got[computed..], vec![5.0; heads.q_columns()], "the token behind the step");

        if seq_len == 1 {
            let got = split(&gpu, &cache, position, &q_gpu);
            assert_close("out, of splits", &got[..computed], &expected, 2e-5);
            assert_eq!(got[computed..], vec![5.0; heads.q_columns()], "the token behind, of splits");
        }
    }

    /// The same for one token in splits, of 64 positions if there are too few for more.
    fn split(gpu: &Gpu, cache: &KvCache, position: usize, q: &Tensor) -> Vec<f32> {
        let shape = q.shape();
        let out = upload(gpu, "out", shape, &vec![5.0; shape[0] * shape[1]]);
        let room = block_on(gpu.allocate("splits", |make| SplitRoom::new(make, cache.heads()))).unwrap();
        let few = Splits { count: (position + 1).div_ceil(64) as u32, len: 64 };
        let splits = Splits::of(position + 1).unwrap_or(few);
        let mut plan = gpu.plan();
        attention_split(&mut plan, q, cache, &room, &out);
        let plan = block_on(plan.finish()).unwrap();
        let params =
            StepParams { position: position as u32, seq_len: 1, split_len: splits.len, ..Default::default() };
        gpu.step(1, &params).splits(splits.count).run(&plan).submit().unwrap();
        block_on(gpu.read_f32(&out)).unwrap()
    }

    #[test]
    fn positions_are_cut_into_whole_tiles_and_few_splits() {
        for (kv_len, expected) in [
            (1, None),
            (128, None),
            (129, Some((3, 64))),
            (2048, Some((32, 64))),
            (2049, Some((17, 128))),
            (131_072, Some((32, 4096))),
        ] {
            let found = Splits::of(kv_len).map(|splits| (splits.count, splits.len));
            assert_eq!(found, expected, "{kv_len}");
        }
    }

    #[test]
    fn the_first_token_sees_only_itself() {
        check(Heads { heads: 1, kv_heads: 1, head_dim: 4 }, KvType::F32, 0, 1);
    }

    #[test]
    fn decode_just_around_a_tile() {
        for position in [0, 62, 63, 64, 127, 128, 2047, 2048] {
            check(Heads { heads: 6, kv_heads: 2, head_dim: 32 }, KvType::F32, position, 1);
        }
    }

    #[test]
    fn prefill_is_causal() {
        check(Heads { heads: 9, kv_heads: 3, head_dim: 64 }, KvType::F32, 3, 130);
    }

    #[test]
    fn halves() {
        check(Heads { heads: 4, kv_heads: 4, head_dim: 96 }, KvType::F16, 200, 3);
    }

    #[test]
    fn bytes() {
        for head_dim in [4, 48, 80, 128] {
            check(Heads { heads: 6, kv_heads: 2, head_dim }, KvType::I8, 70, 3);
        }
    }

    #[test]
    fn a_cache_in_parts() {
        let heads = Heads { heads: 10, kv_heads: 5, head_dim: 32 };
        for dtype in KvType::ALL {
            // 256 positions: of two heads the keys fit, so that the last part has one.
            check_in_parts(heads, dtype, 180, 3, 2 * 256 * 32 * 4);
            check_in_parts(heads, dtype, 180, 3, 256 * 32 * 4);
        }
    }

    /// With the heads of Llama 3.1 8B that share a kv head: enough turns of loops for lavapipe to end them silently,
    /// if each took one position.
    #[test]
    fn the_end_of_128k() {
        for dtype in KvType::ALL {
            check(Heads { heads: 4, kv_heads: 1, head_dim: 128 }, dtype, 131_071, 1);
        }
    }

    #[test]
    fn llama_3_1_8b() {
        check(Heads { heads: 32, kv_heads: 8, head_dim: 128 }, KvType::F16, 300, 2);
    }

    #[test]
    fn more_query_heads_than_a_workgroup_takes() {
        check(Heads { heads: 24, kv_heads: 1, head_dim: 256 }, KvType::F32, 70, 1);
        check(Heads { heads: 7, kv_heads: 1, head_dim: 128 }, KvType::F32, 5, 2);
    }
}
