//! Packs weights as each quantizer does, from the definitions, one nibble at a time.

use half::f16;

use crate::writer::Tensor;

/// A quantized matrix: weight `[o][i]` is `(q - z) s` with the z and s of `o` and the group of `i`.
#[derive(Clone)]
pub(crate) struct Quantized {
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) groups: usize,
    /// `[rows][columns]`, 0 to 15.
    pub(crate) q: Vec<u8>,
    /// `[rows][groups]`, 0 to 15.
    pub(crate) zeros: Vec<u8>,
    /// `[rows][groups]`
    pub(crate) scales: Vec<f16>,
    /// `[columns]`
    pub(crate) group_of: Vec<usize>,
}

/// SplitMix64.
pub(crate) fn random(state: &mut u64) -> usize {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 33) as usize
}

impl Quantized {
    pub(crate) fn random(rows: usize, columns: usize, group_size: usize, seed: u64) -> Quantized {
        let mut state = seed;
        let groups = columns.div_ceil(group_size);
        let mut below = |end: usize| random(&mut state) % end;
        Quantized {
            rows,
            columns,
            groups,
            q: (0..rows * columns).map(|_| below(16) as u8).collect(),
            zeros: (0..rows * groups).map(|_| below(16) as u8).collect(),
            // Powers of two by 1 to 1.99, exact in bfloat16 too.
            scales: (0..rows * groups).map(|_| f16::from_f32((128 + below(128)) as f32 / 16384.0)).collect(),
            group_of: (0..columns).map(|i| i / group_size).collect(),
        }
    }

    pub(crate) fn symmetric(mut self) -> Quantized {
        self.zeros.fill(8);
        self
    }

    /// Columns belong to the same groups in another order.
    pub(crate) fn shuffled(mut self, seed: u64) -> Quantized {
        let mut state = seed;
        for i in (1..self.columns).rev() {
            self.group_of.swap(i, random(&mut state) % (i + 1));
        }
        self
    }

    /// `[rows][columns]`
    pub(crate) fn values(&self) -> Vec<f32> {
        let value = |o: usize, i: usize| {
            let at = o * self.groups + self.group_of[i];
            (f32::from(self.q[o * self.columns + i]) - f32::from(self.zeros[at])) * self.scales[at].to_f32()
        };
        (0..self.rows).flat_map(|o| (0..self.columns).map(move |i| value(o, i))).collect()
    }

    pub(crate) fn awq(&self, stem: &str) -> Vec<Tensor> {
        const ORDER: [usize; 8] = [0, 2, 4, 6, 1, 3, 5, 7];
        let words = |outer: usize, nibble: &dyn Fn(usize, usize) -> u8| {
            let word = |i: usize, c: usize| words_of((0..8).map(|n| nibble(i, 8 * c + ORDER[n])));
            (0..outer).flat_map(|i| (0..self.rows / 8).flat_map(move |c| word(i, c))).collect::<Vec<u8>>()
        };
        let qweight = words(self.columns, &|i, o| self.q[o * self.columns + i]);
        let qzeros = words(self.groups, &|g, o| self.zeros[o * self.groups + g]);
        vec![
            tensor(stem, "qweight", "I32", &[self.columns, self.rows / 8], qweight),
            tensor(stem, "qzeros", "I32", &[self.groups, self.rows / 8], qzeros),
            self.scales_by_group(stem),
        ]
    }

    pub(crate) fn gptq(&self, stem: &str, zero_offset: u8) -> Vec<Tensor> {
        let word = |k: usize, o: usize| words_of((0..8).map(move |n| self.q[o * self.columns + 8 * k + n]));
        let qweight = (0..self.columns / 8).flat_map(|k| (0..self.rows).flat_map(move |o| word(k, o)));
        let zero = move |g: usize, o: usize| self.zeros[o * self.groups + g].wrapping_sub(zero_offset) & 15;
        let zeros = |g: usize, c: usize| words_of((0..8).map(move |n| zero(g, 8 * c + n)));
        let qzeros = (0..self.groups).flat_map(|g| (0..self.rows / 8).flat_map(move |c| zeros(g, c)));
        let g_idx = self.group_of.iter().flat_map(|g| (*g as i32).to_le_bytes());
        vec![
            tensor(stem, "qweight", "I32", &[self.columns / 8, self.rows], qweight.collect()),
            tensor(stem, "qzeros", "I32", &[self.groups, self.rows / 8], qzeros.collect()),
            self.scales_by_group(stem),
            tensor(stem, "g_idx", "I32", &[self.columns], g_idx.collect()),
        ]
    }

    /// Scales in bfloat16.
    pub(crate) fn pack_quantized(&self, stem: &str) -> Vec<Tensor> {
        let scales = self.scales.iter().flat_map(|s| half::bf16::from_f32(s.to_f32()).to_le_bytes());
        let word = |c: usize, g: usize| {
            let zero = move |o: usize| self.zeros.get(o * self.groups + g).copied().unwrap_or(0);
            words_of((0..8).map(move |n| zero(8 * c + n)))
        };
        let words = self.rows.div_ceil(8);
        let zeros = (0..words).flat_map(|c| (0..self.groups).flat_map(move |g| word(c, g)));
        let shape = [self.rows as i64, self.columns as i64].map(i64::to_le_bytes).concat();
        let g_idx = self.group_of.iter().flat_map(|g| (*g as i32).to_le_bytes());
        vec![
            tensor(stem, "weight_packed", "I32", &[self.rows, self.columns / 8], self.packed()),
            tensor(stem, "weight_scale", "BF16", &[self.rows, self.groups], scales.collect()),
            tensor(stem, "weight_shape", "I64", &[2], shape),
            tensor(stem, "weight_zero_point", "I32", &[words, self.groups], zeros.collect()),
            tensor(stem, "weight_g_idx", "I32", &[self.columns], g_idx.collect()),
        ]
    }

    /// Words of eight inputs, row by row.
    pub(crate) fn packed(&self) -> Vec<u8> {
        self.q.chunks(8).flat_map(|eight| words_of(eight.iter().copied())).collect()
    }

    fn scales_by_group(&self, stem: &str) -> Tensor {
        let scale = |g: usize, o: usize| self.scales[o * self.groups + g].to_le_bytes();
        let scales = (0..self.groups).flat_map(|g| (0..self.rows).flat_map(move |o| scale(g, o)));
        tensor(stem, "scales", "F16", &[self.groups, self.rows], scales.collect())
    }
}

/// Eight nibbles, the lowest first.
fn words_of(nibbles: impl Iterator<Item = u8>) -> [u8; 4] {
    let word = nibbles.enumerate().fold(0u32, |word, (n, nibble)| word | u32::from(nibble) << (4 * n));
    word.to_le_bytes()
}

pub(crate) fn tensor(stem: &str, name: &str, dtype: &'static str, shape: &[usize], bytes: Vec<u8>) -> Tensor {
    Tensor { file: 0, name: format!("{stem}.{name}"), dtype, shape: shape.into(), bytes }
}
