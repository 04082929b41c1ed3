//! Attention of the tokens of a step to all before them.

use wide::f32x4;

use super::elementwise::softmax;
use super::product::dot;
use super::threads::share_out;
use crate::CpuError;

/// Positions of a block. A list that doubles needs its old and its new room at once, and up to twice as much as it holds in
/// the end; the longest context that fits leaves neither. Blocks never move.
pub(super) const BLOCK: usize = 64;

/// The keys and values of one layer.
#[derive(Debug, Clone)]
pub(super) struct LayerCache {
    pub(super) head_dim: usize,
    pub(super) kv_heads: usize,
    pub(super) positions: usize,
    /// As many as have ever been needed.
    pub(super) blocks: Vec<Block>,
}

/// Those of some positions.
#[derive(Debug, Clone)]
pub(super) struct Block {
    pub(super) keys: Vec<f32>,   // [num_key_value_heads, BLOCK, head_dim], rotated
    pub(super) values: Vec<f32>, // [num_key_value_heads, BLOCK, head_dim]
}

impl LayerCache {
    pub(super) fn new(kv_heads: usize, head_dim: usize) -> LayerCache {
        LayerCache { head_dim, kv_heads, positions: 0, blocks: Vec::new() }
    }

    /// Bytes that have to be found before so many tokens can be appended.
    pub(super) fn missing(&self, tokens: usize) -> u64 {
        let blocks = (self.positions + tokens).div_ceil(BLOCK).saturating_sub(self.blocks.len());
        2 * 4 * (blocks as u64).saturating_mul(self.block_len() as u64)
    }

    /// Finds them.
    ///
    /// # Errors
    /// If there are none; what was there stays.
    pub(super) fn reserve(&mut self, tokens: usize) -> Result<(), CpuError> {
        let (held, bytes) = (self.blocks.len() * BLOCK, self.missing(tokens));
        let out_of_memory = || CpuError::ContextOutOfMemory { tokens: held, bytes };
        while self.blocks.len() < (self.positions + tokens).div_ceil(BLOCK) {
            let block = Block::new(self.block_len()).ok_or_else(out_of_memory)?;
            self.blocks.try_reserve(1).map_err(|_| out_of_memory())?;
            self.blocks.push(block);
        }
        Ok(())
    }

    fn block_len(&self) -> usize {
        self.kv_heads.saturating_mul(BLOCK).saturating_mul(self.head_dim)
    }

    /// Appends tokens for which there is room; `keys` and `values` are `[tokens, num_key_value_heads * head_dim]`.
    pub(super) fn push(&mut self, keys: &[f32], values: &[f32]) {
        let kv_size = self.kv_heads * self.head_dim;
        for (key, value) in keys.chunks_exact(kv_size).zip(values.chunks_exact(kv_size)) {
            let (block, row) = (&mut self.blocks[self.positions / BLOCK], self.positions % BLOCK);
            let parts = key.chunks_exact(self.head_dim).zip(value.chunks_exact(self.head_dim));
            for (head, (key, value)) in parts.enumerate() {
                let at = (head * BLOCK + row) * self.head_dim;
                block.keys[at..][..self.head_dim].copy_from_slice(key);
                block.values[at..][..self.head_dim].copy_from_slice(value);
            }
            self.positions += 1;
        }
    }

    /// Forgets all from `position` on.
    pub(super) fn truncate(&mut self, position: usize) {
        self.positions = self.positions.min(position);
    }

    /// For `q`, `[tokens, num_attention_heads * head_dim]`, whose tokens are the last that were pushed: the values of
    /// all positions up to each, weighted by `softmax(q · k / sqrt(head_dim))`. The same shape.
    pub(super) fn attention(&self, q: &[f32], tokens: usize) -> Vec<f32> {
        let (head_dim, positions) = (self.head_dim, self.positions);
        let heads = q.len() / tokens / head_dim;
        let heads_per_kv_head = heads / self.kv_heads;
        let mut out = vec![0.0; q.len()];
        let each = 2 * positions * head_dim;
        share_out(&mut out, head_dim, each, |index, out| {
            let (token, head) = (index / heads, index % heads);
            let q = &q[index * head_dim..][..head_dim];
            let seen = positions - tokens + token + 1;
            self.attend(head / heads_per_kv_head, q, seen, out);
        });
        out
    }

    /// What one head of one token sees of the first `seen` positions. `q` and `out` are `[head_dim]`.
    fn attend(&self, kv_head: usize, q: &[f32], seen: usize, out: &mut [f32]) {
        let head_dim = q.len();
        let scale = 1.0 / (head_dim as f32).sqrt();
        let of_head = kv_head * BLOCK * head_dim..(kv_head + 1) * BLOCK * head_dim;
        let blocks = &self.blocks[..seen.div_ceil(BLOCK)];
        let mut weights = Vec::with_capacity(seen); // [seen]
        for block in blocks {
            let keys = block.keys[of_head.clone()].chunks_exact(head_dim).take(seen - weights.len());
            weights.extend(keys.map(|key| dot(q, key) * scale));
        }
        softmax(&mut weights);
        // A few features of all positions at a time, so that their sums stay in registers.
        let (wide, rest) = out.as_chunks_mut::<FEATURES>();
        let narrow = wide.len() * FEATURES;
        for (index, out) in wide.iter_mut().enumerate() {
            let mut sums = [f32x4::ZERO; FEATURES / 4];
            for (weights, block) in weights.chunks(BLOCK).zip(blocks) {
                let values = block.values[of_head.clone()].chunks_exact(head_dim);
                let values = values.map(|value| &value[index * FEATURES..]);
                sums = add_weighted(sums, weights, values.filter_map(<[f32]>::first_chunk));
            }
            *out = bytemuck::cast(sums);
        }
        for (weights, block) in weights.chunks(BLOCK).zip(blocks) {
            for (weight, value) in weights.iter().zip(block.values[of_head.clone()].chunks_exact(head_dim)) {
                rest.iter_mut().zip(&value[narrow..]).for_each(|(out, value)| *out += weight * value);
            }
        }
    }
}

impl Block {
    /// None if there is no memory for it.
    fn new(len: usize) -> Option<Block> {
        let zeros = || {
            let mut list = Vec::new();
            list.try_reserve_exact(len).ok()?;
            list.resize(len, 0.0);
            Some(list)
        };
        Some(Block { keys: zeros()?, values: zeros()? })
    }
}

/// Features whose sums fill half of the 16 registers that x86 has.
const FEATURES: usize = 32;

/// `sums + Σ weight * value`
#[inline(always)] // Else the sums go through memory for each block.
fn add_weighted<'a>(
    mut sums: [f32x4; FEATURES / 4],
    weights: &[f32],
    values: impl Iterator<Item = &'a [f32; FEATURES]>,
) -> [f32x4; FEATURES / 4] {
    for (weight, value) in weights.iter().zip(values) {
        let weight = f32x4::splat(*weight);
        for (sum, value) in sums.iter_mut().zip(value.as_chunks::<4>().0) {
            *sum += weight * f32x4::from(*value);
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operations;

    /// Query heads that share keys and values and that don't, head sizes that fill vectors and that don't, tokens in
    /// one step and in several.
    #[test]
    fn tokens_see_what_came_before_them() {
        for (heads, kv_heads, head_dim, steps) in [
            (4, 2, 6, &[3, 1, 4][..]),
            (3, 3, 4, &[1, 1]),
            (9, 3, 64, &[17, 50]),
            (1, 1, 1, &[2, 5]),
            (2, 1, 34, &[63, 1, 1, 90]),
        ] {
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
                cache.reserve(tokens).unwrap();
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
            assert_eq!(cache.positions, 1);
            assert_eq!(cache.blocks[0].keys[..head_dim], keys[..head_dim]);
        }
    }

    /// Room comes in whole blocks, none of it in vain, and what has been found is kept.
    #[test]
    fn room_is_found_before_it_is_needed_or_not_at_all() {
        let mut cache = LayerCache::new(2, 3);
        let row = [1.0; 6];
        for (tokens, blocks) in [(1, 1), (62, 1), (1, 1), (1, 2), (200, 5)] {
            cache.reserve(tokens).unwrap();
            assert_eq!(cache.missing(tokens), 0);
            (0..tokens).for_each(|_| cache.push(&row, &row));
            assert_eq!((cache.blocks.len(), cache.positions.div_ceil(BLOCK)), (blocks, blocks), "{tokens}");
        }
        assert_eq!(cache.missing(100), 2 * 4 * 64 * 6);
        cache.truncate(0);
        assert_eq!((cache.missing(320), cache.missing(321)), (0, 2 * 4 * 64 * 6));

        let mut endless = LayerCache::new(1 << 31, 1 << 20);
        let bytes = endless.missing(1);
        assert_eq!(endless.reserve(1), Err(CpuError::ContextOutOfMemory { tokens: 0, bytes }));
        assert_eq!((endless.positions, endless.blocks.len()), (0, 0));
    }
}
