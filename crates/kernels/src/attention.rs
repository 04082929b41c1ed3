//! Causal attention over the KV cache: `out = softmax(q Kᵀ / sqrt(head_dim)) V`, for decode and prefill alike.

use std::f32::consts::LOG2_E;

use gpu::{Access, Constant, Extent, Kernel, Needs, PlanBuilder, Tensor};

use crate::kv::{Heads, KvCache};
use crate::step::STEP;

/// Query values that a workgroup keeps at hand: with scores, statistics and room to spare inside 16 KiB.
const QUERY_VALUES: usize = 2048;

/// Shapes: `q` and `out` `[chunk, heads * head_dim]`. Token `i` sees the positions up to its own.
/// Panics if they disagree: that is a mistake in our code, not in a model file.
pub fn attention<'a>(plan: &mut PlanBuilder<'a>, q: &'a Tensor, cache: &'a KvCache, out: &'a Tensor) {
    let heads = cache.heads();
    assert_eq!(q.shape()[1], heads.q_columns(), "attention: q");
    assert_eq!(q.shape(), out.shape(), "attention: out");

    let [quad, kv] = cache.dtype().wgsl();
    let kernel = Kernel {
        name: "attention",
        wgsl: vec![STEP, quad, kv, include_str!("attention.wgsl")],
        bindings: &[Access::Read, Access::Read, Access::Read, Access::Write],
        needs: Needs::Nothing,
    };
    let group = group(heads);
    let mut constants = vec![
        Constant::U32("GROUP", group as u32),
        Constant::U32("HEADS_PER_KV", (heads.heads / heads.kv_heads) as u32),
        Constant::F32("SCALE", LOG2_E / (heads.head_dim as f32).sqrt()),
    ];
    constants.extend(cache.constants());
    let groups = (heads.heads / group) as u32;
    let tensors = [q, &cache.keys, &cache.values, out];
    plan.dispatch(kernel, &constants, &tensors, [Extent::Fixed(groups), Extent::Tokens(1), Extent::Fixed(1)]);
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
    use crate::{KvType, StepParams, kv};
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
        let gpu = gpu();
        let positions = position + seq_len;
        // Scores far apart and growing, so that the running maximum has to move.
        let q: Vec<f32> =
            random(1, (seq_len + 1) * heads.q_columns()).iter().map(|value| value * 8.0).collect();
        let round = |value: f32| kv::unpack(dtype, &kv::pack(dtype, &[value, 0.0, 0.0, 0.0]), 0)[0];
        let grow = |(i, value): (usize, f32)| {
            round(value * (1.0 + i as f32 / (positions * heads.kv_columns()) as f32))
        };
        let keys: Vec<f32> =
            random(2, positions * heads.kv_columns()).into_iter().enumerate().map(grow).collect();
        let values: Vec<f32> = random(3, keys.len()).into_iter().map(round).collect();

        // Where nothing was written lies a value that would show: later tokens must not be seen.
        let cache =
            block_on(gpu.allocate("kv", |make| KvCache::new(make, heads, dtype, positions + 64))).unwrap();
        let junk = kv::pack(dtype, &[900.0; 4]);
        let [mut key_words, mut value_words] =
            [&cache.keys, &cache.values].map(|tensor| junk.repeat(tensor.bytes() as usize / 4 / junk.len()));
        for (i, quad) in keys.chunks_exact(4).enumerate() {
            let quads = heads.head_dim / 4;
            let (p, kv_head, column) = (i / (quads * heads.kv_heads), i / quads % heads.kv_heads, i % quads);
            let put = |words: &mut Vec<u32>, at: usize, quad: &[f32]| {
                let packed = kv::pack(dtype, quad);
                words[at * packed.len()..][..packed.len()].copy_from_slice(&packed);
            };
            put(&mut key_words, cache.key_at(kv_head, p, column), quad);
            put(&mut value_words, cache.value_at(kv_head, p, column), &values[i * 4..][..4]);
        }
        gpu.write(&cache.keys, 0, &key_words);
        gpu.write(&cache.values, 0, &value_words);

        let q_gpu = upload(&gpu, "q", [seq_len + 1, heads.q_columns()], &q);
        let out = upload(&gpu, "out", [seq_len + 1, heads.q_columns()], &vec![5.0; q.len()]);
        let params = StepParams { position: position as u32, seq_len: seq_len as u32, ..Default::default() };
        let got = run(&gpu, params, &out, |plan| attention(plan, &q_gpu, &cache, &out));

        let computed = seq_len * heads.q_columns();
        assert_close(
            "out",
            &got[..computed],
            &reference(heads, position, &q[..computed], &keys, &values),
            2e-5,
        );
        assert_eq!(got[computed..], vec![5.0; heads.q_columns()], "the token behind the step");
    }

    #[test]
    fn the_first_token_sees_only_itself() {
        check(Heads { heads: 1, kv_heads: 1, head_dim: 4 }, KvType::F32, 0, 1);
    }

    #[test]
    fn decode_just_around_a_tile() {
        for position in [62, 63, 64, 127, 128] {
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
    fn llama_3_1_8b() {
        check(Heads { heads: 32, kv_heads: 8, head_dim: 128 }, KvType::F16, 300, 2);
    }

    #[test]
    fn more_query_heads_than_a_workgroup_takes() {
        check(Heads { heads: 24, kv_heads: 1, head_dim: 256 }, KvType::F32, 70, 1);
        check(Heads { heads: 7, kv_heads: 1, head_dim: 128 }, KvType::F32, 5, 2);
    }
}
