//! A model's weights in `f32`, gathered from a file that arrives piece by piece.
//!
//! Matrices are row-major, `[rows, columns]` = `[output features, input features]`.

use std::collections::HashMap;

use format::{Checkpoint, Config, LayerPart, TensorInfo, TensorName, dequantize};

use crate::CpuError;

/// Every tensor of a model.
#[derive(Debug, Clone, PartialEq)]
pub struct Weights {
    pub(crate) embed_tokens: Vec<f32>,       // [vocab_size, hidden_size]
    pub(crate) layers: Vec<LayerWeights>,    // num_hidden_layers of them
    pub(crate) norm: Vec<f32>,               // [1, hidden_size]
    pub(crate) lm_head: Option<Vec<f32>>,    // [vocab_size, hidden_size], none if tied to embed_tokens
    pub(crate) rope_freqs: Option<Vec<f32>>, // [1, head_dim / 2]
}

/// The tensors of one layer.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerWeights {
    pub(crate) input_layernorm: Vec<f32>,          // [1, hidden_size]
    pub(crate) q_proj: Vec<f32>,                   // [num_attention_heads * head_dim, hidden_size]
    pub(crate) k_proj: Vec<f32>,                   // [num_key_value_heads * head_dim, hidden_size]
    pub(crate) v_proj: Vec<f32>,                   // [num_key_value_heads * head_dim, hidden_size]
    pub(crate) o_proj: Vec<f32>,                   // [hidden_size, num_attention_heads * head_dim]
    pub(crate) post_attention_layernorm: Vec<f32>, // [1, hidden_size]
    pub(crate) gate_proj: Vec<f32>,                // [intermediate_size, hidden_size]
    pub(crate) up_proj: Vec<f32>,                  // [intermediate_size, hidden_size]
    pub(crate) down_proj: Vec<f32>,                // [hidden_size, intermediate_size]
}

/// Takes a file's bytes in order, in pieces of any size, and keeps the tensors.
#[derive(Debug)]
pub struct WeightsBuilder {
    config: Config,
    tensors: Vec<TensorInfo>,
    /// How many of the tensors are whole.
    done: usize,
    /// How many bytes of the next one have come.
    received: u64,
    /// The last of those, as long as they are less than a block.
    partial_block: Vec<u8>,
    values: HashMap<TensorName, Vec<f32>>,
}

impl Weights {
    /// Begins to gather the tensors of a file.
    pub fn builder(checkpoint: &Checkpoint) -> WeightsBuilder {
        WeightsBuilder {
            config: checkpoint.config,
            tensors: checkpoint.tensors.clone(),
            done: 0,
            received: 0,
            partial_block: Vec::new(),
            values: HashMap::new(),
        }
    }
}

impl WeightsBuilder {
    /// Takes the bytes at `offset` from the start of the file. Bytes between tensors may be left out.
    ///
    /// # Errors
    /// If bytes of a tensor have been left out, or there is no memory for it.
    pub fn push(&mut self, offset: u64, bytes: &[u8]) -> Result<(), CpuError> {
        while let Some(tensor) = self.tensors.get(self.done).copied() {
            let next = tensor.offset + self.received;
            let Some(skipped) = next.checked_sub(offset) else {
                return Err(CpuError::Skipped { tensor: tensor.name, expected: next, found: offset });
            };
            let Some(bytes) = usize::try_from(skipped).ok().and_then(|skipped| bytes.get(skipped..)) else {
                return Ok(()); // The tensor begins past these bytes.
            };
            let missing = tensor.len - self.received;
            let bytes = &bytes[..missing.min(bytes.len() as u64) as usize];
            self.append(&tensor, bytes)?;
            self.received += bytes.len() as u64;
            if self.received < tensor.len {
                return Ok(());
            }
            self.done += 1;
            self.received = 0;
        }
        Ok(())
    }

    /// The weights, once all bytes have come.
    ///
    /// # Errors
    /// If a tensor is not whole.
    pub fn finish(mut self) -> Result<Weights, CpuError> {
        if let Some(tensor) = self.tensors.get(self.done) {
            return Err(CpuError::Incomplete {
                tensor: tensor.name,
                expected: tensor.offset + self.received,
            });
        }
        let lm_head = self.values.remove(&TensorName::LmHead);
        let rope_freqs = self.values.remove(&TensorName::RopeFreqs);
        let mut take = |tensor: TensorName| {
            // A checkpoint has every tensor, so this is never missing; and the error would say what is.
            self.values.remove(&tensor).ok_or(CpuError::Incomplete { tensor, expected: 0 })
        };
        let layers = (0..self.config.num_hidden_layers).map(|index| {
            let mut take = |part| take(TensorName::Layer { index, part });
            Ok(LayerWeights {
                input_layernorm: take(LayerPart::InputLayernorm)?,
                q_proj: take(LayerPart::QProj)?,
                k_proj: take(LayerPart::KProj)?,
                v_proj: take(LayerPart::VProj)?,
                o_proj: take(LayerPart::OProj)?,
                post_attention_layernorm: take(LayerPart::PostAttentionLayernorm)?,
                gate_proj: take(LayerPart::GateProj)?,
                up_proj: take(LayerPart::UpProj)?,
                down_proj: take(LayerPart::DownProj)?,
            })
        });
        let layers = layers.collect::<Result<_, CpuError>>()?;
        let (embed_tokens, norm) = (take(TensorName::EmbedTokens)?, take(TensorName::Norm)?);
        Ok(Weights { embed_tokens, layers, norm, lm_head, rope_freqs })
    }

    /// Appends the values of all blocks that are whole with these bytes, and keeps the rest.
    fn append(&mut self, tensor: &TensorInfo, bytes: &[u8]) -> Result<(), CpuError> {
        let values = self.values.entry(tensor.name).or_default();
        if values.is_empty() {
            let out_of_memory = CpuError::OutOfMemory { tensor: tensor.name, weights: tensor.weights() };
            let weights = usize::try_from(tensor.weights()).map_err(|_| out_of_memory.clone())?;
            values.try_reserve_exact(weights).map_err(|_| out_of_memory)?;
        }
        self.partial_block.extend_from_slice(bytes);
        let len = self.partial_block.len();
        let whole = len - len % tensor.dtype.block_bytes();
        dequantize(tensor.dtype, &self.partial_block[..whole], values)?;
        self.partial_block.drain(..whole);
        Ok(())
    }
}
