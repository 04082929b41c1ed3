//! The KV cache of one layer. Where things lie in it is written in `kv.wgsl`, once for all who use it.

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
}

/// Keys and values of one layer.
#[derive(Debug)]
pub struct KvCache {
    dtype: KvType,
    heads: Heads,
    positions: usize,
    pub(crate) keys: Tensor,
    pub(crate) values: Tensor,
}

/// Positions are allocated in blocks of this many: the tile that attention walks in.
pub(crate) const POSITION_BLOCK: usize = 64;

impl KvType {
    /// Bytes of one value.
    pub fn bytes(self) -> u64 {
        match self {
            KvType::F16 => 2,
            KvType::F32 => 4,
        }
    }

    pub(crate) fn wgsl(self) -> [&'static str; 2] {
        let quad = match self {
            KvType::F16 => include_str!("kv_f16.wgsl"),
            KvType::F32 => include_str!("kv_f32.wgsl"),
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

    /// Columns of k, and of v.
    pub fn kv_columns(self) -> usize {
        self.kv_heads * self.head_dim
    }
}

impl KvCache {
    /// Room for `positions` tokens.
    pub fn new(make: &Allocator, heads: Heads, dtype: KvType, positions: usize) -> Result<KvCache, GpuError> {
        let positions = positions.next_multiple_of(POSITION_BLOCK);
        let row_words = heads.kv_columns() * dtype.bytes() as usize / 4;
        let keys = make.tensor("KV cache: keys", [positions, row_words])?;
        let values = make.tensor("KV cache: values", [positions, row_words])?;
        Ok(KvCache { dtype, heads, positions, keys, values })
    }

    /// Most positions whose keys, and whose values, fit one binding of `limit` bytes each.
    pub fn positions_in(limit: u64, heads: Heads, dtype: KvType) -> usize {
        let positions = limit / (heads.kv_columns() as u64 * dtype.bytes());
        usize::try_from(positions).unwrap_or(usize::MAX) / POSITION_BLOCK * POSITION_BLOCK
    }

    /// The heads it holds.
    pub fn heads(&self) -> Heads {
        self.heads
    }

    /// How it stores them.
    pub fn dtype(&self) -> KvType {
        self.dtype
    }

    /// Bytes on the device.
    pub fn bytes(&self) -> u64 {
        self.keys.bytes() + self.values.bytes()
    }

    pub(crate) fn constants(&self) -> [Constant; 4] {
        [
            Constant::U32("HEADS", self.heads.heads as u32),
            Constant::U32("KV_HEADS", self.heads.kv_heads as u32),
            Constant::U32("HEAD_DIM", self.heads.head_dim as u32),
            Constant::U32("POSITIONS", self.positions as u32),
        ]
    }
}

#[cfg(test)]
impl KvCache {
    /// As in `kv.wgsl`.
    pub(crate) fn key_at(&self, kv_head: usize, position: usize, quad: usize) -> usize {
        let quads = self.heads.head_dim / 4;
        ((kv_head * (self.positions / 32) + position / 32) * quads + quad) * 32 + position % 32
    }

    /// As in `kv.wgsl`.
    pub(crate) fn value_at(&self, kv_head: usize, position: usize, quad: usize) -> usize {
        (kv_head * self.positions + position) * (self.heads.head_dim / 4) + quad
    }
}

/// Quad `at` of a cache's words.
#[cfg(test)]
pub(crate) fn unpack(dtype: KvType, words: &[u32], at: usize) -> [f32; 4] {
    let half = |word: u32, shift: u32| half::f16::from_bits((word >> shift) as u16).to_f32();
    match dtype {
        KvType::F32 => std::array::from_fn(|i| f32::from_bits(words[at * 4 + i])),
        KvType::F16 => std::array::from_fn(|i| half(words[at * 2 + i / 2], i as u32 % 2 * 16)),
    }
}

/// Quads as words of a cache.
#[cfg(test)]
pub(crate) fn pack(dtype: KvType, quad: &[f32]) -> Vec<u32> {
    let half = |value: f32| u32::from(half::f16::from_f32(value).to_bits());
    match dtype {
        KvType::F32 => quad.iter().map(|value| value.to_bits()).collect(),
        KvType::F16 => quad.chunks_exact(2).map(|pair| half(pair[0]) | half(pair[1]) << 16).collect(),
    }
}
