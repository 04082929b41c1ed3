//! The layout of `kv.wgsl` in Rust, for the tests of those who write the cache and of those who read it.

use gpu::{Gpu, TierChoice};
use pollster::block_on;

use super::*;

/// Which half of a cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Half {
    Keys,
    Values,
}

impl KvCache {
    /// The part that has a kv head, and the words of both halves of each part.
    fn place(&self, kv_head: usize) -> (usize, usize) {
        let holds =
            |part: &KvPart| (part.first_kv_head..part.first_kv_head + part.kv_heads).contains(&kv_head);
        let part = self.parts.iter().position(holds).unwrap();
        (part, kv_head - self.parts[part].first_kv_head)
    }

    /// Where the quads and the scales of a head lie at a position, counted in quads.
    fn places(&self, half: Half, kv_head: usize, position: usize) -> (usize, Vec<usize>, Vec<usize>) {
        let (part, head) = self.place(kv_head);
        let quads = self.heads.head_dim / 4;
        let spans = quads / self.dtype.span(self.heads.head_dim);
        let scales = self.parts[part].kv_heads * self.positions * quads;
        let at = |of: usize, i: usize| match half {
            Half::Keys => ((head * (self.positions / 32) + position / 32) * of + i) * 32 + position % 32,
            Half::Values => (head * self.positions + position) * of + i,
        };
        let scale_places = match self.dtype {
            KvType::I8 => (0..spans).map(|span| scales + at(spans, span)).collect(),
            KvType::F16 | KvType::F32 => Vec::new(),
        };
        (part, (0..quads).map(|quad| at(quads, quad)).collect(), scale_places)
    }

    /// The words of one half, part by part.
    pub(crate) fn read(&self, gpu: &Gpu, half: Half) -> Vec<Vec<u32>> {
        self.parts.iter().map(|part| block_on(gpu.read(part.half(half))).unwrap()).collect()
    }

    /// Puts the words of one half back.
    pub(crate) fn write(&self, gpu: &Gpu, half: Half, words: &[Vec<u32>]) {
        for (part, words) in self.parts.iter().zip(words) {
            gpu.write(part.half(half), 0, words);
        }
    }

    /// Stores `[head_dim]` among the words of one half.
    pub(crate) fn put(
        &self,
        words: &mut [Vec<u32>],
        half: Half,
        kv_head: usize,
        position: usize,
        head: &[f32],
    ) {
        let (part, quads, scales) = self.places(half, kv_head, position);
        let span = self.dtype.span(self.heads.head_dim) * 4;
        for (at, (quad, i)) in quads.into_iter().zip(head.chunks_exact(4).zip(0..)) {
            let scale = scale_of(self.dtype, &head[i * 4 / span * span..][..span]);
            let packed = pack(self.dtype, quad, scale);
            words[part][at * packed.len()..][..packed.len()].copy_from_slice(&packed);
            if let Some(place) = scales.get(i * 4 / span) {
                words[part][*place] = scale.to_bits();
            }
        }
    }

    /// What is stored there, `[head_dim]`.
    pub(crate) fn get(&self, words: &[Vec<u32>], half: Half, kv_head: usize, position: usize) -> Vec<f32> {
        let (part, quads, scales) = self.places(half, kv_head, position);
        let span = self.dtype.span(self.heads.head_dim);
        let scale = |quad: usize| scales.get(quad / span).map_or(1.0, |at| f32::from_bits(words[part][*at]));
        let value =
            |(quad, at): (usize, usize)| unpack(self.dtype, &words[part], at).map(|v| v * scale(quad));
        quads.into_iter().enumerate().flat_map(value).collect()
    }
}

impl KvPart {
    fn half(&self, half: Half) -> &Tensor {
        match half {
            Half::Keys => &self.keys,
            Half::Values => &self.values,
        }
    }
}

/// What becomes of `[head_dim]` when it is stored.
pub(crate) fn stored(dtype: KvType, head: &[f32]) -> Vec<f32> {
    let span = dtype.span(head.len()) * 4;
    let rounded = |values: &[f32]| -> Vec<f32> {
        let scale = scale_of(dtype, values);
        let quads = values.chunks_exact(4);
        quads.flat_map(|quad| unpack(dtype, &pack(dtype, quad, scale), 0).map(|v| v * scale)).collect()
    };
    head.chunks_exact(span).flat_map(rounded).collect()
}

fn scale_of(dtype: KvType, span: &[f32]) -> f32 {
    let largest = span.iter().fold(0.0f32, |most, value| most.max(value.abs()));
    if dtype == KvType::I8 && largest > 0.0 { largest } else { 1.0 }
}

/// Quad `at` of a cache's words, without its scale.
fn unpack(dtype: KvType, words: &[u32], at: usize) -> [f32; 4] {
    let half = |word: u32, shift: u32| half::f16::from_bits((word >> shift) as u16).to_f32();
    match dtype {
        KvType::F32 => std::array::from_fn(|i| f32::from_bits(words[at * 4 + i])),
        KvType::F16 => std::array::from_fn(|i| half(words[at * 2 + i / 2], i as u32 % 2 * 16)),
        KvType::I8 => words[at].to_le_bytes().map(|byte| f32::from(byte as i8) / 127.0),
    }
}

/// A quad as words of a cache.
fn pack(dtype: KvType, quad: &[f32], scale: f32) -> Vec<u32> {
    let half = |value: f32| u32::from(half::f16::from_f32(value).to_bits());
    match dtype {
        KvType::F32 => quad.iter().map(|value| value.to_bits()).collect(),
        KvType::F16 => quad.chunks_exact(2).map(|pair| half(pair[0]) | half(pair[1]) << 16).collect(),
        KvType::I8 => {
            let byte = |i: usize| ((quad[i] / scale * 127.0 + 0.5).floor() as i8) as u8;
            vec![u32::from_le_bytes(std::array::from_fn(byte))]
        }
    }
}

#[test]
fn spans_divide_a_head() {
    for (head_dim, expected) in [(4, 1), (48, 6), (64, 8), (80, 5), (96, 8), (128, 8), (256, 8)] {
        assert_eq!(KvType::I8.span(head_dim), expected, "{head_dim}");
        assert_eq!(KvType::F16.span(head_dim), 1);
    }
}

/// Llama 3.1 8B: 8 kv heads of 128.
const HEADS: Heads = Heads { heads: 32, kv_heads: 8, head_dim: 128 };

#[test]
fn memory_is_known_beforehand() {
    for (dtype, a_token) in [(KvType::F16, 4096), (KvType::F32, 8192), (KvType::I8, 2304)] {
        assert_eq!(KvCache::bytes_per_position(HEADS, dtype), a_token, "{dtype:?}");
    }
    let gpu = block_on(Gpu::request(TierChoice::Plain)).unwrap();
    for dtype in KvType::ALL {
        let cache =
            block_on(gpu.allocate("kv", |make| KvCache::new(make, HEADS, dtype, 65, 1 << 30))).unwrap();
        assert_eq!((cache.bytes(), cache.parts.len()), (128 * KvCache::bytes_per_position(HEADS, dtype), 1));
    }
}

/// WebGPU's least limit holds 131,072 positions of one head in every type.
#[test]
fn a_cache_is_cut_where_a_binding_ends() {
    const LEAST: u64 = 128 << 20;
    for (dtype, most) in [(KvType::F16, 524_288), (KvType::F32, 262_144), (KvType::I8, 932_032)] {
        assert_eq!(KvCache::positions_in(LEAST, HEADS, dtype), most, "{dtype:?}");
    }
    let gpu = block_on(Gpu::request(TierChoice::Plain)).unwrap();
    // Keys of 64 positions: 16,384 bytes a head in halves.
    for (limit, expected) in [(16_384, vec![1; 8]), (49_152 + 4, vec![3, 3, 2]), (1 << 20, vec![8])] {
        let make = |make: &Allocator| KvCache::new(make, HEADS, KvType::F16, 64, limit);
        let cache = block_on(gpu.allocate("kv", make)).unwrap();
        let parts: Vec<usize> = cache.parts.iter().map(|part| part.kv_heads).collect();
        assert_eq!(parts, expected, "{limit}");
        assert!(cache.parts.iter().all(|part| part.keys.bytes() <= limit), "{limit}");
    }
}
