//! Rotary position embedding, and the way of k and v into the KV cache.
//!
//! Pair `i` of a head turns by `position * inv_freq[i]`. The turns come from the CPU, computed in f64: WGSL
//! promises cos and sin only for small angles, and position 100,000 is no small angle.

use gpu::{Access, Constant, Extent, Kernel, Needs, PlanBuilder, Tensor};

use crate::KvCache;
use crate::step::STEP;

const WORKGROUP_SIZE: u32 = 64;

/// The frequencies of a model: what to upload before a step.
#[derive(Clone, Debug, PartialEq)]
pub struct RopeTable {
    inv_freq: Vec<f32>,
}

impl RopeTable {
    /// `rope_theta^(-2i/head_dim)`, divided by `factors[i]` where the model has factors (llama3 scaling).
    pub fn new(head_dim: usize, rope_theta: f64, factors: Option<&[f32]>) -> RopeTable {
        let inv_freq = (0..head_dim / 2).map(|i| {
            let inv_freq = rope_theta.powf(-2.0 * i as f64 / head_dim as f64) as f32;
            inv_freq / factors.and_then(|factors| factors.get(i)).unwrap_or(&1.0)
        });
        RopeTable { inv_freq: inv_freq.collect() }
    }

    /// (cos, sin) for `seq_len` positions from `position` on: `[seq_len, head_dim]`.
    pub fn turns(&self, position: u32, seq_len: u32) -> Vec<f32> {
        let angles = (position..position + seq_len).flat_map(|position| {
            self.inv_freq.iter().map(move |inv_freq| f64::from(position) * f64::from(*inv_freq))
        });
        angles.flat_map(|angle| [angle.cos() as f32, angle.sin() as f32]).collect()
    }
}

/// Shapes: `qkv` `[chunk, (heads + 2 kv_heads) * head_dim]`, `turns` `[chunk, head_dim]` of (cos, sin) pairs,
/// `q` `[chunk, heads * head_dim]`. k and v go to the cache, at the step's positions: a dispatch for each part of it.
/// Panics if they disagree: that is a mistake in our code, not in a model file.
pub fn rope<'a>(
    plan: &mut PlanBuilder<'a>,
    qkv: &'a Tensor,
    turns: &'a Tensor,
    q: &'a Tensor,
    cache: &'a KvCache,
) {
    let heads = cache.heads();
    let chunk = qkv.shape()[0];
    assert_eq!(qkv.shape(), [chunk, heads.qkv_columns()], "rope: qkv");
    assert_eq!(turns.shape(), [chunk, heads.head_dim], "rope: turns");
    assert_eq!(q.shape(), [chunk, heads.q_columns()], "rope: q");

    let [quad, kv] = cache.dtype().wgsl();
    for part in cache.parts() {
        let kernel = Kernel {
            name: "rope",
            wgsl: vec![STEP, quad, kv, include_str!("turn.wgsl"), include_str!("rope.wgsl")],
            bindings: vec![Access::Read, Access::Read, Access::Write, Access::Write, Access::Write],
            needs: Needs::Nothing,
        };
        let turned_heads = if part.first_kv_head == 0 { heads.heads } else { 0 };
        let mut constants = vec![
            Constant::U32("WORKGROUP_SIZE", WORKGROUP_SIZE),
            Constant::U32("TURNED_HEADS", turned_heads as u32),
            Constant::U32("ALL_KV_HEADS", heads.kv_heads as u32),
            Constant::U32("FIRST_KV_HEAD", part.first_kv_head as u32),
        ];
        constants.extend(cache.constants(part));
        let quads = (turned_heads + 2 * part.kv_heads) * heads.head_dim / 4;
        let groups = (quads / cache.dtype().span(heads.head_dim)).div_ceil(WORKGROUP_SIZE as usize) as u32;
        let tensors = [qkv, turns, q, &part.keys, &part.values];
        let grid = [Extent::Fixed(groups), Extent::Tokens(1), Extent::Fixed(1)];
        plan.dispatch(kernel, &constants, &tensors, grid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{assert_close, gpu, random, run, upload};
    use crate::kv::Half;
    use crate::{Heads, KvType, StepParams};
    use gpu::Allocator;
    use pollster::block_on;

    const THETA: f64 = 100.0; // Low, so that every pair turns visibly.

    /// Turns adjacent pairs of one head's row in place.
    fn turn(row: &mut [f32], position: usize, factors: &[f32]) {
        let head_dim = row.len();
        for (i, pair) in row.chunks_exact_mut(2).enumerate() {
            // Frequencies are f32 in every implementation; at far positions their rounding shows.
            let inv_freq = THETA.powf(-2.0 * i as f64 / head_dim as f64) as f32 / factors[i];
            let angle = position as f64 * f64::from(inv_freq);
            let (sin, cos) = angle.sin_cos();
            let (a, b) = (f64::from(pair[0]), f64::from(pair[1]));
            pair[0] = (a * cos - b * sin) as f32;
            pair[1] = (a * sin + b * cos) as f32;
        }
    }

    /// The Hadamard transform of blocks of a head, from its definition: row `i` has the sign of the ones that `i` and the
    /// column have in common.
    fn spread(head: &mut [f32], dtype: KvType) {
        if dtype != KvType::I8 {
            return;
        }
        let len = 4 << dtype.span(head.len()).trailing_zeros();
        for block in head.chunks_exact_mut(len) {
            let sign = |i: usize, j: usize| if (i & j).count_ones().is_multiple_of(2) { 1.0 } else { -1.0 };
            let row = |i| block.iter().enumerate().map(|(j, x)| sign(i, j) * x).sum::<f32>();
            let spread: Vec<f32> = (0..len).map(|i| row(i) / (len as f32).sqrt()).collect();
            block.copy_from_slice(&spread);
        }
    }

    /// q goes to `q`, turned; k to the cache, turned; v to the cache, as it is.
    #[track_caller]
    fn check(heads: Heads, dtype: KvType, position: usize, seq_len: usize) {
        check_in_parts(heads, dtype, position, seq_len, 1 << 30);
    }

    #[track_caller]
    fn check_in_parts(heads: Heads, dtype: KvType, position: usize, seq_len: usize, binding_bytes: u64) {
        let gpu = gpu();
        let factors: Vec<f32> = (0..heads.head_dim / 2).map(|i| 1.0 + i as f32 / 3.0).collect();
        let table = RopeTable::new(heads.head_dim, THETA, Some(&factors));
        let (chunk, width) = (seq_len + 1, heads.qkv_columns());
        let rows = random(1, chunk * width);
        let qkv = upload(&gpu, "qkv", [chunk, width], &rows);
        let turns = upload(&gpu, "turns", [chunk, heads.head_dim], &[]);
        gpu.write_f32(&turns, 0, &table.turns(position as u32, seq_len as u32));
        let q = upload(&gpu, "q", [chunk, heads.q_columns()], &[]);
        let make = |make: &Allocator| KvCache::new(make, heads, dtype, position + seq_len, binding_bytes);
        let cache = block_on(gpu.allocate("kv", make)).unwrap();

        let params = StepParams { position: position as u32, seq_len: seq_len as u32, ..Default::default() };
        let got = run(&gpu, params, &q, |plan| rope(plan, &qkv, &turns, &q, &cache));
        let [keys, values] = [Half::Keys, Half::Values].map(|half| cache.read(&gpu, half));

        let mut expected = vec![0.0; chunk * heads.q_columns()];
        let bound = match dtype {
            KvType::F32 => 1e-5,
            KvType::F16 => 1e-3,
            KvType::I8 => 1.0 / 254.0 + 1e-4,
        };
        for (token, row) in rows.chunks_exact(width).take(seq_len).enumerate() {
            let mut row = row.to_vec();
            let turned = heads.q_columns() + heads.kv_columns();
            for head in row[..turned].chunks_exact_mut(heads.head_dim) {
                turn(head, position + token, &factors);
                spread(head, dtype);
            }
            expected[token * heads.q_columns()..][..heads.q_columns()]
                .copy_from_slice(&row[..heads.q_columns()]);
            let stored = |words: &[Vec<u32>], half| -> Vec<f32> {
                (0..heads.kv_heads).flat_map(|head| cache.get(words, half, head, position + token)).collect()
            };
            let (keys, values) = (stored(&keys, Half::Keys), stored(&values, Half::Values));
            assert_close(&format!("k of token {token}"), &keys, &row[heads.q_columns()..turned], bound);
            assert_close(&format!("v of token {token}"), &values, &row[turned..], bound);
        }
        assert_close("q", &got, &expected, 1e-5);
    }

    #[test]
    fn one_token_at_the_start() {
        check(Heads { heads: 2, kv_heads: 1, head_dim: 4 }, KvType::F32, 0, 1);
    }

    #[test]
    fn tokens_across_position_blocks() {
        check(Heads { heads: 6, kv_heads: 3, head_dim: 8 }, KvType::F32, 61, 40);
    }

    #[test]
    fn halves_and_a_far_position() {
        check(Heads { heads: 9, kv_heads: 3, head_dim: 64 }, KvType::F16, 5000, 3);
    }

    #[test]
    fn bytes() {
        for head_dim in [4, 48, 80, 128] {
            check(Heads { heads: 6, kv_heads: 2, head_dim }, KvType::I8, 61, 5);
        }
    }

    #[test]
    fn a_cache_in_parts() {
        let heads = Heads { heads: 10, kv_heads: 5, head_dim: 32 };
        for dtype in KvType::ALL {
            check_in_parts(heads, dtype, 180, 3, 2 * 192 * 32 * 4);
            check_in_parts(heads, dtype, 180, 3, 192 * 32 * 4);
        }
    }

    #[test]
    fn angles_at_the_end_of_128k_are_exact() {
        let table = RopeTable::new(128, 500000.0, None);
        let turns = table.turns(131071, 1);
        // cos and sin of 131071 rad, from an arbitrary-precision calculator.
        assert!((turns[0] - COS_131071).abs() < 1e-7 && (turns[1] - SIN_131071).abs() < 1e-7, "{turns:?}");
    }

    const COS_131071: f32 = -0.817_983_5;
    const SIN_131071: f32 = -0.575_241_7;
}
