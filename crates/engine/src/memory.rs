//! What a model takes on a device, known from its header alone: before anything large is fetched.
//!
//! ```text
//! weights + context * kv_bytes_per_token
//! ```

use format::layout::WeightType;
use format::{Checkpoint, Config, Quant, TensorInfo, TensorName};
use gpu::Limits;
use llama::{KvType, LlamaError, Options, kv_bytes_per_token};

use crate::Quantize;
use crate::options::CHUNK;

/// What a model takes on a device.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Memory {
    config: Config,
    weights: u64,
}

impl Memory {
    /// Of a model that is loaded so.
    pub fn of(checkpoint: &Checkpoint, quantize: Quantize) -> Memory {
        let quant = quantize.quant(checkpoint);
        // The factors of RoPE stay with the CPU, which computes its turns.
        let tensors = checkpoint.tensors.iter().filter(|tensor| tensor.name != TensorName::RopeFreqs);
        let weights = tensors.map(|tensor| on_device(tensor, quant)).sum();
        Memory { config: checkpoint.config, weights }
    }

    /// Bytes of weights.
    pub fn weights(&self) -> u64 {
        self.weights
    }

    /// Bytes of the keys and values of one token.
    pub fn kv_bytes_per_token(&self, kv: KvType) -> u64 {
        kv_bytes_per_token(&self.config, kv)
    }

    /// Bytes of the keys and values of so many tokens.
    pub fn kv_cache(&self, kv: KvType, context: usize) -> u64 {
        self.kv_bytes_per_token(kv) * context as u64
    }

    /// The longest context that the model has and a device of these limits can bind. How much memory is free no
    /// device tells: that shows once it is asked for.
    pub fn longest_context(&self, kv: KvType, limits: Limits) -> usize {
        let most = self.config.max_position_embeddings;
        let options = Options { context: most, chunk: CHUNK, kv };
        match options.check_device(&self.config, limits) {
            Err(LlamaError::ContextTooLong { most, .. }) => most,
            _ => most,
        }
    }
}

/// Vectors are floats always; a matrix is laid out as its type says, that which it has or is to become.
fn on_device(tensor: &TensorInfo, quant: Option<Quant>) -> u64 {
    let dtype = quant.map_or(tensor.dtype, |quant| quant.blocks(tensor));
    match WeightType::holding(dtype) {
        Some(dtype) if tensor.rows > 1 => dtype.bytes(tensor.rows, tensor.columns),
        _ => 4 * tensor.weights(),
    }
}
