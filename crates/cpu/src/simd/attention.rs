//! Attention of the tokens of a step to all before them.

use wide::f32x4;

use super::elementwise::softmax;
use super::product::dot;
use super::threads::share_out;

/// The keys and values of one layer.
#[derive(Debug, Clone)]
pub(super) struct LayerCache {
    pub(super) head_dim: usize,
    /// `[num_key_value_heads][positions, head_dim]`
    pub(super) heads: Vec<HeadCache>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct HeadCache {
    pub(super) keys: Vec<f32>,   // [positions, head_dim], rotated
    pub(super) values: Vec<f32>, // [positions, head_dim]
}

impl LayerCache {
    pub(super) fn new(num_key_value_heads: usize, head_dim: usize) -> LayerCache {
        LayerCache { head_dim, heads: vec![HeadCache::default(); num_key_value_heads] }
    }

    /// Appends tokens; `keys` and `values` are `[tokens, num_key_value_heads * head_dim]`.
    pub(super) fn push(&mut self, keys: &[f32], values: &[f32]) {
        let kv_size = self.heads.len() * self.head_dim;
        for (key, value) in keys.chunks_exact(kv_size).zip(values.chunks_exact(kv_size)) {
            let parts = key.chunks_exact(self.head_dim).zip(value.chunks_exact(self.head_dim));
            for (head, (key, value)) in self.heads.iter_mut().zip(parts) {
                head.keys.extend(key);
                head.values.extend(value);
            }
        }
    }

    /// Forgets all from `position` on.
    pub(super) fn truncate(&mut self, position: usize) {
        for head in &mut self.heads {
            head.keys.truncate(position * self.head_dim);
            head.values.truncate(position * self.head_dim);
        }
    }

    /// For `q`, `[tokens, num_attention_heads * head_dim]`, whose tokens are the last that were pushed: the values of
    /// all positions up to each, weighted by `softmax(q · k / sqrt(head_dim))`. The same shape.
    pub(super) fn attention(&self, q: &[f32], tokens: usize) -> Vec<f32> {
        let head_dim = self.head_dim;
        let positions = self.heads.first().map_or(0, |head| head.keys.len() / head_dim);
        let heads = q.len() / tokens / head_dim;
        let heads_per_kv_head = heads / self.heads.len();
        let mut out = vec![0.0; q.len()];
        let each = 2 * positions * head_dim;
        share_out(&mut out, head_dim, each, |index, out| {
            let (token, head) = (index / heads, index % heads);
            let q = &q[index * head_dim..][..head_dim];
            let seen = positions - tokens + token + 1;
            self.heads[head / heads_per_kv_head].attend(q, seen, out);
        });
        out
    }
}

impl HeadCache {
    /// What one head of one token sees of the first `seen` positions. `q` and `out` are `[head_dim]`.
    fn attend(&self, q: &[f32], seen: usize, out: &mut [f32]) {
        let head_dim = q.len();
        let scale = 1.0 / (head_dim as f32).sqrt();
        let keys = self.keys.chunks_exact(head_dim).take(seen);
        let mut weights: Vec<f32> = keys.map(|key| dot(q, key) * scale).collect(); // [seen]
        softmax(&mut weights);
        // A few features of all positions at a time, so that their sums stay in registers.
        let (wide, rest) = out.as_chunks_mut::<FEATURES>();
        let narrow = wide.len() * FEATURES;
        for (index, out) in wide.iter_mut().enumerate() {
            let values = self.values.chunks_exact(head_dim).map(|value| &value[index * FEATURES..]);
            *out = weighted_sum(&weights, values.filter_map(<[f32]>::first_chunk));
        }
        for (weight, value) in weights.iter().zip(self.values.chunks_exact(head_dim)) {
            rest.iter_mut().zip(&value[narrow..]).for_each(|(out, value)| *out += weight * value);
        }
    }
}

/// Features whose sums fill half of the 16 registers that x86 has.
const FEATURES: usize = 32;

/// `Σ weight * value`
fn weighted_sum<'a>(weights: &[f32], values: impl Iterator<Item = &'a [f32; FEATURES]>) -> [f32; FEATURES] {
    let mut sums = [f32x4::ZERO; FEATURES / 4];
    for (weight, value) in weights.iter().zip(values) {
        let weight = f32x4::splat(*weight);
        for (sum, value) in sums.iter_mut().zip(value.as_chunks::<4>().0) {
            *sum += weight * f32x4::from(*value);
        }
    }
    bytemuck::cast(sums)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operations;

    /// Query heads that share keys and values and that don't, head sizes that fill vectors and that don't, tokens in
    /// one step and in several.
    #[test]
    fn tokens_see_what_came_before_them() {
        for (heads, kv_heads, head_dim, steps) in
            [(4, 2, 6, &[3, 1, 4][..]), (3, 3, 4, &[1, 1]), (9, 3, 64, &[17]), (1, 1, 1, &[2, 5])]
        {
            let (q_size, kv_size) = (heads * head_dim, kv_heads * head_dim);
            let number = |i: usize, by: usize| (i * by % 29) as f32 / 7.0 - 2.0;
            let row =
                |token: usize, size: usize, by: usize| (0..size).map(move |i| number(token * 131 + i, by));
            let mut cache = LayerCache::new(kv_heads, head_dim);
            let (mut keys, mut values) = (Vec::new(), Vec::new());
            let mut before = 0;
            for &tokens in steps {
                let of = |size: usize, by: usize| -> Vec<f32> {
                    (before..before + tokens).flat_map(|token| row(token, size, by)).collect()
                };
                let (q, k, v) = (of(q_size, 5), of(kv_size, 11), of(kv_size, 17));
                cache.push(&k, &v);
                let got = cache.attention(&q, tokens);
                for token in 0..tokens {
                    keys.extend(&k[token * kv_size..][..kv_size]);
                    values.extend(&v[token * kv_size..][..kv_size]);
                    let q = &q[token * q_size..][..q_size];
                    let expected = operations::attention(q, &keys, &values, kv_size, head_dim);
                    for (i, expected) in expected.iter().enumerate() {
                        let got = got[token * q_size + i];
                        assert!(
                            (got - expected).abs() <= 2e-6 * (1.0 + expected.abs()),
                            "{heads} heads, token {}, [{i}]: got {got}, expected {expected}",
                            before + token
                        );
                    }
                }
                before += tokens;
            }
            cache.truncate(1);
            assert_eq!(cache.heads[0].keys, keys[..head_dim]);
        }
    }
}
