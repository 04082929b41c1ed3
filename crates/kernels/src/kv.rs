//! The KV cache of one layer. Where things lie in it is written in `kv.wgsl`, once for all who use it.
//!
//! Where a device binds less at once than the keys of all heads take, the cache is cut into parts of whole kv heads:
//! a dispatch for each. A short context, or a device that binds much, has one.

use gpu::{Allocator, Constant, GpuError, Tensor};

/// The heads of an attention layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heads {
    /// `num_attention_heads`
    pub heads: usize,
    /// `num_key_value_heads`, a divisor of `heads`.
    pub kv_heads: usize,
    /// Values of a head, a multiple of 4.
    pub head_dim: usize,
}

/// How keys and values are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KvType {
    /// Halves: half the memory and half the reading.
    #[default]
    F16,
    /// Floats, for exact comparisons.
    F32,
    /// Bytes with a scale for 32 of them: a little more than half of what halves take.
    I8,
}

/// Keys and values of one layer.
#[derive(Debug)]
pub struct KvCache {
    dtype: KvType,
    heads: Heads,
    positions: usize,
    parts: Vec<KvPart>,
}

/// Keys and values of some kv heads.
#[derive(Debug)]
pub(crate) struct KvPart {
    pub(crate) first_kv_head: usize,
    pub(crate) kv_heads: usize,
    pub(crate) keys: Tensor,   // [kv_heads * positions, row_words]
    pub(crate) values: Tensor, // [kv_heads * positions, row_words]
}

/// Positions are allocated in blocks of this many: the tile that attention walks in.
pub(crate) const POSITION_BLOCK: usize = 64;

/// Quads that share a scale, at most.
const SPAN: usize = 8;

impl KvType {
    /// Every type, the one to take unless asked otherwise first.
    pub const ALL: [KvType; 3] = [KvType::F16, KvType::I8, KvType::F32];

    /// 32-bit words that the keys of one head take at one position; its values take as many.
    fn row_words(self, head_dim: usize) -> usize {
        match self {
            KvType::F16 => head_dim / 2,
            KvType::F32 => head_dim,
            KvType::I8 => head_dim / 4 + head_dim / 4 / self.span(head_dim),
        }
    }

    /// Quads that an invocation writes, and that share a scale where there is one: a divisor of a head's.
    pub(crate) fn span(self, head_dim: usize) -> usize {
        let quads = head_dim / 4;
        match self {
            KvType::F16 | KvType::F32 => 1,
            KvType::I8 => (1..=SPAN).rev().find(|span| quads.is_multiple_of(*span)).unwrap_or(1),
        }
    }

    pub(crate) fn wgsl(self) -> [&'static str; 2] {
        let quad = match self {
            KvType::F16 => include_str!("kv_f16.wgsl"),
            KvType::F32 => include_str!("kv_f32.wgsl"),
            KvType::I8 => include_str!("kv_i8.wgsl"),
        };
        [quad, include_str!("kv.wgsl")]
    }
}

impl Heads {
    /// Columns of q, k and v side by side.
    pub fn qkv_columns(self) -> usize {
        (self.heads + 2 * self.kv_heads) * self.head_dim
    }

    /// Columns of q.
    pub fn q_columns(self) -> usize {
        self.heads * self.head_dim
    }

    /// Query heads that share a kv head.
    pub(crate) fn heads_per_kv(self) -> usize {
        self.heads / self.kv_heads
    }

    /// Query heads of one kv head that are taken at once: as many of `most` as divide them.
    pub(crate) fn group(self, most: usize) -> usize {
        (1..=most).rev().find(|group| self.heads_per_kv().is_multiple_of(*group)).unwrap_or(1)
    }

    /// Columns of k, and of v.
    pub fn kv_columns(self) -> usize {
        self.kv_heads * self.head_dim
    }
}

impl KvCache {
    /// Room for `positions` tokens, no part of it larger than `binding_bytes`.
    /// Fails if not even one head's keys are as small.
    pub fn new(
        make: &Allocator,
        heads: Heads,
        dtype: KvType,
        positions: usize,
        binding_bytes: u64,
    ) -> Result<KvCache, GpuError> {
        let positions = positions.next_multiple_of(POSITION_BLOCK);
        let row_words = dtype.row_words(heads.head_dim);
        let head_bytes = 4 * row_words as u64 * positions as u64;
        let fitting = usize::try_from(binding_bytes / head_bytes.max(1)).unwrap_or(usize::MAX);
        let together = fitting.clamp(1, heads.kv_heads.max(1));
        let mut parts = Vec::new();
        for first_kv_head in (0..heads.kv_heads).step_by(together) {
            let kv_heads = together.min(heads.kv_heads - first_kv_head);
            let keys = make.tensor("KV cache: keys", [kv_heads * positions, row_words])?;
            let values = make.tensor("KV cache: values", [kv_heads * positions, row_words])?;
            parts.push(KvPart { first_kv_head, kv_heads, keys, values });
        }
        Ok(KvCache { dtype, heads, positions, parts })
    }

    /// Most positions of which one head's keys fit a binding of `limit` bytes.
    pub fn positions_in(limit: u64, heads: Heads, dtype: KvType) -> usize {
        let positions = limit / (4 * dtype.row_words(heads.head_dim) as u64).max(1);
        usize::try_from(positions).unwrap_or(usize::MAX) / POSITION_BLOCK * POSITION_BLOCK
    }

    /// Bytes that keys and values take at one position. There is room for a multiple of 64 of them.
    pub fn bytes_per_position(heads: Heads, dtype: KvType) -> u64 {
        2 * 4 * heads.kv_heads as u64 * dtype.row_words(heads.head_dim) as u64
    }

    /// The heads it holds.
    pub fn heads(&self) -> Heads {
        self.heads
    }

    /// Positions that there is room for.
    pub(crate) fn positions(&self) -> usize {
        self.positions
    }

    /// How it stores them.
    pub fn dtype(&self) -> KvType {
        self.dtype
    }

    /// Bytes on the device.
    pub fn bytes(&self) -> u64 {
        self.parts.iter().map(|part| part.keys.bytes() + part.values.bytes()).sum()
    }

    pub(crate) fn parts(&self) -> &[KvPart] {
        &self.parts
    }

    /// What `kv.wgsl` needs to know of a part.
    pub(crate) fn constants(&self, part: &KvPart) -> [Constant; 5] {
        [
            Constant::U32("HEADS", self.heads.heads as u32),
            Constant::U32("KV_HEADS", part.kv_heads as u32),
            Constant::U32("HEAD_DIM", self.heads.head_dim as u32),
            Constant::U32("POSITIONS", self.positions as u32),
            Constant::U32("SPAN", self.dtype.span(self.heads.head_dim) as u32),
        ]
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) use tests::{Half, stored};
