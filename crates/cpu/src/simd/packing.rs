//! Weights and caches as bytes, for a worker that shares no memory with this one.
//!
//! A list is its length in 32 bits and its elements. A matrix is its rows, its columns, its order of columns (empty for
//! their own), what it holds (floats of three types, bytes, or nibbles), and lists of that.

use bytemuck::{NoUninit, Pod};
use format::GgmlType;

use super::attention::{BLOCK, Block, LayerCache};
use super::matrix::{Floats, Matrix, Quantized, Values, Width};
use super::weights::LayerWeights;
use crate::CpuError;

/// The types of floats, by their numbers here; then come bytes, and nibbles.
const FLOATS: [GgmlType; 3] = [GgmlType::F32, GgmlType::F16, GgmlType::BF16];
const BYTES: usize = FLOATS.len();
const NIBBLES: usize = BYTES + 1;

/// Bytes in the making.
#[derive(Debug)]
pub(super) struct Packing(Vec<u8>);

impl Packing {
    /// Begins with a number that says what follows.
    pub(super) fn of(kind: u32) -> Packing {
        Packing(kind.to_le_bytes().to_vec())
    }

    pub(super) fn bytes(self) -> Vec<u8> {
        self.0
    }

    /// A number that 32 bits hold: nothing in WebAssembly's memory has more elements.
    pub(super) fn count(&mut self, count: usize) {
        self.0.extend((count as u32).to_le_bytes());
    }

    pub(super) fn all<T: NoUninit>(&mut self, list: &[T]) {
        self.count(list.len());
        self.0.extend_from_slice(bytemuck::cast_slice(list));
    }

    pub(super) fn layer(&mut self, layer: &LayerWeights) {
        self.all(&layer.input_layernorm);
        self.all(&layer.post_attention_layernorm);
        for matrix in [&layer.q_proj, &layer.k_proj, &layer.v_proj, &layer.o_proj] {
            self.matrix(matrix);
        }
        for matrix in [&layer.gate_proj, &layer.up_proj, &layer.down_proj] {
            self.matrix(matrix);
        }
    }

    pub(super) fn cache(&mut self, cache: &LayerCache) {
        self.count(cache.head_dim);
        self.count(cache.kv_heads);
        self.count(cache.positions);
        for block in cache.blocks.iter().take(cache.positions.div_ceil(BLOCK)) {
            self.all(&block.keys);
            self.all(&block.values);
        }
    }

    fn matrix(&mut self, matrix: &Matrix) {
        self.count(matrix.rows);
        self.count(matrix.columns);
        self.all(matrix.order.as_deref().unwrap_or_default());
        match &matrix.values {
            Values::Floats(Floats { dtype, bytes }) => {
                self.count(FLOATS.iter().position(|it| it == dtype).unwrap_or_default());
                self.all(bytes);
            }
            Values::Quantized(Quantized { width, chunks, part, scales, minimums }) => {
                match *width {
                    Width::Bytes => self.count(BYTES),
                    // A nibble's zero is small and not negative.
                    Width::Nibbles { offset } => self.count(NIBBLES + offset as usize),
                }
                self.count(*part);
                self.all(chunks);
                self.all(scales);
                self.all(minimums);
            }
        }
    }
}

/// Bytes that are taken apart.
pub(super) struct Unpacking<'a>(&'a [u8]);

impl<'a> Unpacking<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Unpacking<'a> {
        Unpacking(bytes)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn number(&mut self) -> Result<u32, CpuError> {
        let bytes = self.take(4)?;
        Ok(bytes.iter().rev().fold(0, |number, byte| number << 8 | u32::from(*byte)))
    }

    pub(super) fn count(&mut self) -> Result<usize, CpuError> {
        Ok(self.number()? as usize)
    }

    pub(super) fn all<T: Pod>(&mut self) -> Result<Vec<T>, CpuError> {
        let bytes = u64::from(self.number()?) * size_of::<T>() as u64;
        Ok(elements(self.take(bytes)?))
    }

    pub(super) fn layer(&mut self) -> Result<LayerWeights, CpuError> {
        Ok(LayerWeights {
            input_layernorm: self.all()?,
            post_attention_layernorm: self.all()?,
            q_proj: self.matrix()?,
            k_proj: self.matrix()?,
            v_proj: self.matrix()?,
            o_proj: self.matrix()?,
            gate_proj: self.matrix()?,
            up_proj: self.matrix()?,
            down_proj: self.matrix()?,
        })
    }

    pub(super) fn cache(&mut self) -> Result<LayerCache, CpuError> {
        let [head_dim, kv_heads, positions] = [self.count()?, self.count()?, self.count()?];
        let blocks =
            (0..positions.div_ceil(BLOCK)).map(|_| Ok(Block { keys: self.all()?, values: self.all()? }));
        Ok(LayerCache { head_dim, kv_heads, positions, blocks: blocks.collect::<Result<_, CpuError>>()? })
    }

    fn matrix(&mut self) -> Result<Matrix, CpuError> {
        let [rows, columns] = [self.count()?, self.count()?];
        let order = Some(self.all()?).filter(|order| !order.is_empty());
        let holds = self.count()?;
        let values = match FLOATS.get(holds) {
            Some(dtype) => Values::Floats(Floats { dtype: *dtype, bytes: self.all()? }),
            None => Values::Quantized(Quantized {
                width: match holds.checked_sub(NIBBLES) {
                    Some(offset) => Width::Nibbles { offset: offset as i32 },
                    None => Width::Bytes,
                },
                part: self.count()?,
                chunks: self.all()?,
                scales: self.all()?,
                minimums: self.all()?,
            }),
        };
        Ok(Matrix { rows, columns, values, order })
    }

    fn take(&mut self, bytes: u64) -> Result<&'a [u8], CpuError> {
        let found = self.0.len();
        let taken = usize::try_from(bytes).ok().and_then(|bytes| self.0.split_at_checked(bytes));
        let (taken, rest) = taken.ok_or(CpuError::BrokenOff { expected: bytes, found })?;
        self.0 = rest;
        Ok(taken)
    }
}

/// The elements that whole bytes of them hold, wherever those lie.
fn elements<T: Pod>(bytes: &[u8]) -> Vec<T> {
    let mut elements = vec![T::zeroed(); bytes.len() / size_of::<T>()];
    let into = bytemuck::cast_slice_mut::<T, u8>(&mut elements);
    into.copy_from_slice(&bytes[..into.len()]);
    elements
}
