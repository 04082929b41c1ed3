use super::*;
use crate::attention_of_many::is_short;
use crate::check::{assert_close, gpu, random, run, upload, upload_uniform};
use crate::kv::{Half, Heads, stored};
use crate::{AttentionForm, KvType, SplitRoom, Splits, StepParams, attention_of_many, attention_of_one};
use gpu::{Allocator, Gpu};
use pollster::block_on;

/// Who takes the tokens of a step: each a workgroup, or many of them some form.
const FORMS: [(&str, Option<AttentionForm>); 3] = [
    ("few", None),
    ("many together", Some(AttentionForm::Together)),
    ("many each", Some(AttentionForm::Each)),
];

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
                (weights.iter().enumerate().map(|(p, weight)| weight * value(p)).sum::<f64>() / total) as f32
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
    let q: Vec<f32> = random(1, (seq_len + 1) * heads.q_columns()).iter().map(|value| value * 8.0).collect();
    let grow = |(i, value): (usize, f32)| value * (1.0 + i as f32 / (positions * heads.kv_columns()) as f32);
    let keys: Vec<f32> =
        random(2, positions * heads.kv_columns()).into_iter().enumerate().map(grow).collect();
    let values = random(3, keys.len());

    let make = |make: &Allocator| KvCache::new(make, heads, dtype, positions + 64, binding_bytes);
    let cache = block_on(gpu.allocate("kv", make)).unwrap();
    let [mut key_words, mut value_words] = [Half::Keys, Half::Values].map(|half| cache.read(&gpu, half));
    // Where nothing was written lies what would show: later tokens must not be seen.
    let junk = vec![900.0; heads.head_dim];
    for (position, kv_head) in (0..positions + 64).flat_map(|p| (0..heads.kv_heads).map(move |h| (p, h))) {
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

    let q_gpu = upload_uniform(&gpu, "q", [seq_len + 1, heads.q_columns()], &q);
    let params = StepParams { position: position as u32, seq_len: seq_len as u32, ..Default::default() };
    let computed = seq_len * heads.q_columns();
    let expected = reference(heads, position, &q[..computed], &keys, &values);
    let fitting = FORMS.iter().filter(|(_, form)| *form != Some(AttentionForm::Each) || is_short(&cache));
    for (name, form) in fitting {
        let out = upload(&gpu, "out", [seq_len + 1, heads.q_columns()], &vec![5.0; q.len()]);
        let got = run(&gpu, params, &out, |plan| match form {
            None => attention(plan, &q_gpu, &cache, &out),
            Some(form) => attention_of_many(plan, *form, &q_gpu, &cache, &out),
        });
        assert_close(name, &got[..computed], &expected, 2e-5);
        assert_eq!(got[computed..], vec![5.0; heads.q_columns()], "{name}: the token behind the step");
    }

    for form in [AttentionForm::Together, AttentionForm::Each] {
        let first = &expected[..heads.q_columns()];
        let got = of_one(&gpu, form, &cache, position, &q_gpu);
        assert_close(&format!("out of one, {form:?}"), &got[..first.len()], first, 2e-5);
        let behind = &got[first.len()..];
        assert!(behind.iter().all(|value| *value == 5.0), "{form:?}: the tokens behind {behind:?}");
    }
}

/// The same for the first token, in splits: of 64 positions if they would be whole.
fn of_one(gpu: &Gpu, form: AttentionForm, cache: &KvCache, position: usize, q: &Tensor) -> Vec<f32> {
    let shape = q.shape();
    let out = upload(gpu, "out", shape, &vec![5.0; shape[0] * shape[1]]);
    let room = block_on(gpu.allocate("splits", |make| SplitRoom::new(make, cache.heads()))).unwrap();
    let few = Splits { workgroups: (position + 1).div_ceil(64) as u32, len: 64 };
    let splits = Splits::of(form, position + 1).unwrap_or(few);
    let mut plan = gpu.plan();
    attention_of_one(&mut plan, form, q, cache, &room, &out).combined(&mut plan);
    let plan = block_on(plan.finish()).unwrap();
    let params =
        StepParams { position: position as u32, seq_len: 1, split_len: splits.len, ..Default::default() };
    gpu.step(1, &params).splits(splits.workgroups).run(&plan).submit().unwrap();
    block_on(gpu.read_f32(&out)).unwrap()
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

#[test]
fn an_invocation_takes_as_many_positions_as_loops_have_turns() {
    let gpu = gpu();
    let heads = Heads { heads: 4, kv_heads: 1, head_dim: 128 };
    for (positions, expected) in [(64, true), (16_000, true), (16_384, false), (131_072, false)] {
        let make = |make: &Allocator| KvCache::new(make, heads, KvType::I8, positions, 1 << 30);
        let cache = block_on(gpu.allocate("kv", make)).unwrap();
        assert_eq!(is_short(&cache), expected, "{positions}");
    }
}
