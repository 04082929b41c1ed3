//! A model's weights as they are multiplied with, gathered from a file that arrives piece by piece.

use std::collections::HashMap;

use format::layout::WeightType;
use format::{Checkpoint, Config, FormatError, LayerPart, RowReader, Rows, Span, TensorInfo, TensorName};

use super::attention::BLOCK;
use super::matrix::{Matrix, matrix_bytes};
use crate::CpuError;

/// Every tensor of a model.
#[derive(Debug)]
pub struct Weights {
    pub(super) embed_tokens: Matrix,         // [vocab_size, hidden_size]
    pub(super) layers: Vec<LayerWeights>,    // num_hidden_layers of them
    pub(super) norm: Vec<f32>,               // [hidden_size]
    pub(super) lm_head: Option<Matrix>,      // [vocab_size, hidden_size], none if tied to embed_tokens
    pub(super) rope_freqs: Option<Vec<f32>>, // [head_dim / 2]
    bytes: u64,
}

/// The tensors of one layer.
#[derive(Debug)]
pub(super) struct LayerWeights {
    pub(super) input_layernorm: Vec<f32>,          // [hidden_size]
    pub(super) q_proj: Matrix,                     // [num_attention_heads * head_dim, hidden_size]
    pub(super) k_proj: Matrix,                     // [num_key_value_heads * head_dim, hidden_size]
    pub(super) v_proj: Matrix,                     // [num_key_value_heads * head_dim, hidden_size]
    pub(super) o_proj: Matrix,                     // [hidden_size, num_attention_heads * head_dim]
    pub(super) post_attention_layernorm: Vec<f32>, // [hidden_size]
    pub(super) gate_proj: Matrix,                  // [intermediate_size, hidden_size]
    pub(super) up_proj: Matrix,                    // [intermediate_size, hidden_size]
    pub(super) down_proj: Matrix,                  // [hidden_size, intermediate_size]
}

/// Takes the bytes of a model's files in order, in pieces of any size, and keeps the tensors.
#[derive(Debug)]
pub struct WeightsBuilder<'a> {
    config: Config,
    reader: RowReader<'a>,
    tensors: Tensors,
}

#[derive(Debug, Default)]
struct Tensors {
    matrices: HashMap<TensorName, Matrix>,
    vectors: HashMap<TensorName, Vec<f32>>,
}

/// Most bytes of weights that a program on this platform can hold, beside what else it needs: WebAssembly has 4 GiB.
const MOST: u64 = if cfg!(target_pointer_width = "32") { 7 << 29 } else { u64::MAX };

impl Weights {
    /// Begins to gather the tensors of a model.
    ///
    /// # Errors
    /// If they take more memory than there can be.
    pub fn builder(checkpoint: &Checkpoint) -> Result<WeightsBuilder<'_>, CpuError> {
        Weights::check(checkpoint)?;
        make_room(Weights::size(checkpoint));
        let (config, reader) = (checkpoint.config, RowReader::new(checkpoint));
        Ok(WeightsBuilder { config, reader, tensors: Tensors::default() })
    }

    /// Bytes that the weights of a model take, known from its header alone.
    pub fn size(checkpoint: &Checkpoint) -> u64 {
        checkpoint.tensors.iter().map(tensor_bytes).sum()
    }

    /// Fails if a program on this platform can't hold them.
    pub fn check(checkpoint: &Checkpoint) -> Result<(), CpuError> {
        check_size(Weights::size(checkpoint), MOST)
    }

    /// Fails if the keys and values of so many tokens, which are floats, can't be held beside them.
    pub fn check_context(checkpoint: &Checkpoint, asked: usize) -> Result<(), CpuError> {
        let most = longest_context(&checkpoint.config, MOST.saturating_sub(Weights::size(checkpoint)));
        if asked > most { Err(CpuError::ContextTooLong { asked, most }) } else { Ok(()) }
    }

    /// Bytes in memory.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl WeightsBuilder<'_> {
    /// Takes the bytes at `offset` of a file, as [`RowReader::push`] does.
    ///
    /// # Errors
    /// If bytes of a tensor have been left out, or there is no memory for it.
    pub fn push(&mut self, file: usize, offset: u64, bytes: &[u8]) -> Result<(), CpuError> {
        let WeightsBuilder { reader, tensors, .. } = self;
        reader.push(file, offset, bytes, &mut |rows| tensors.put(rows))
    }

    /// The bytes that are needed next, as [`RowReader::wants`] says.
    pub fn wants(&self) -> Option<Span> {
        self.reader.wants()
    }

    /// The weights, once all bytes have come.
    ///
    /// # Errors
    /// If a tensor is not whole.
    pub fn finish(self) -> Result<Weights, CpuError> {
        self.reader.finish()?;
        let Tensors { mut matrices, mut vectors } = self.tensors;
        let bytes = matrices.values().map(|matrix| matrix.bytes() as u64).sum::<u64>()
            + vectors.values().map(|vector| 4 * vector.len() as u64).sum::<u64>();
        let rope_freqs = vectors.remove(&TensorName::RopeFreqs).or_else(|| self.config.rope_freqs());
        // A checkpoint has every tensor, so none is ever missing; and the error would say what is.
        let missing = |tensor: TensorName| FormatError::Incomplete { tensor, file: 0, expected: 0 };
        let mut vector = |name: TensorName| vectors.remove(&name).ok_or_else(|| missing(name));
        let lm_head = matrices.remove(&TensorName::LmHead);
        let mut matrix = |name: TensorName| matrices.remove(&name).ok_or_else(|| missing(name));
        let mut layers = Vec::with_capacity(self.config.num_hidden_layers);
        for index in 0..self.config.num_hidden_layers {
            let name = |part| TensorName::Layer { index, part };
            layers.push(LayerWeights {
                input_layernorm: vector(name(LayerPart::InputLayernorm))?,
                q_proj: matrix(name(LayerPart::QProj))?,
                k_proj: matrix(name(LayerPart::KProj))?,
                v_proj: matrix(name(LayerPart::VProj))?,
                o_proj: matrix(name(LayerPart::OProj))?,
                post_attention_layernorm: vector(name(LayerPart::PostAttentionLayernorm))?,
                gate_proj: matrix(name(LayerPart::GateProj))?,
                up_proj: matrix(name(LayerPart::UpProj))?,
                down_proj: matrix(name(LayerPart::DownProj))?,
            });
        }
        let embed_tokens = matrix(TensorName::EmbedTokens)?;
        Ok(Weights { embed_tokens, layers, norm: vector(TensorName::Norm)?, lm_head, rope_freqs, bytes })
    }
}

impl Tensors {
    /// Keeps rows that came.
    fn put(&mut self, rows: Rows) -> Result<(), CpuError> {
        let tensor = rows.tensor;
        let out_of_memory = || CpuError::OutOfMemory { tensor: tensor.name, weights: tensor.weights() };
        if is_vector(tensor.name) {
            let values = self.vectors.entry(tensor.name).or_default();
            return Ok(rows.append_values(0..rows.count(), values)?);
        }
        let matrix = match self.matrices.entry(tensor.name) {
            std::collections::hash_map::Entry::Occupied(matrix) => matrix.into_mut(),
            std::collections::hash_map::Entry::Vacant(room) => {
                let matrix = Matrix::new(tensor, weight_type(tensor)?).ok_or_else(out_of_memory)?;
                room.insert(matrix)
            }
        };
        Ok(matrix.write(rows)?)
    }
}

fn longest_context(config: &Config, bytes: u64) -> usize {
    let Config { num_hidden_layers, num_key_value_heads, head_dim, .. } = *config;
    let of_one = 2 * 4 * (num_hidden_layers * num_key_value_heads * head_dim) as u64;
    let blocks = bytes / (of_one * BLOCK as u64).max(1);
    usize::try_from(blocks).unwrap_or(usize::MAX).saturating_mul(BLOCK)
}

/// Lets WebAssembly's memory grow once for all that comes next, tensors or blocks of a cache: growing it for each of some hundreds took more than half of a load
/// in V8. If there is too little, whoever finds none says so.
pub(super) fn make_room(bytes: u64) {
    if bytes == 0 {
        return;
    }
    let mut room: Vec<u8> = Vec::new();
    let _ = room.try_reserve_exact(usize::try_from(bytes).unwrap_or(usize::MAX));
    // Else the compiler leaves out room that nothing is put into.
    std::hint::black_box(&room);
}

fn check_size(needed: u64, most: u64) -> Result<(), CpuError> {
    if needed > most { Err(CpuError::TooLarge { needed, most }) } else { Ok(()) }
}

fn tensor_bytes(tensor: &TensorInfo) -> u64 {
    match WeightType::holding(tensor.dtype) {
        Some(dtype) if !is_vector(tensor.name) => matrix_bytes(dtype, tensor.rows, tensor.columns),
        _ => 4 * tensor.weights(),
    }
}

fn is_vector(name: TensorName) -> bool {
    use LayerPart::{InputLayernorm, PostAttentionLayernorm};
    matches!(
        name,
        TensorName::Norm
            | TensorName::RopeFreqs
            | TensorName::Layer { part: InputLayernorm | PostAttentionLayernorm, .. }
    )
}

fn weight_type(tensor: &TensorInfo) -> Result<WeightType, FormatError> {
    WeightType::holding(tensor.dtype).ok_or_else(|| FormatError::unsupported_type(tensor.dtype.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_refused_in_a_sentence() {
        assert_eq!(check_size(7 << 29, 7 << 29), Ok(()));
        let error = check_size(6_500_000_000, 7 << 29).unwrap_err().to_string();
        assert_eq!(
            error,
            "The model's weights take 6.05 GiB on the CPU, where at most 3.50 GiB can be held; \
             choose a smaller model, fewer bits a weight, or a GPU."
        );
    }

    #[test]
    fn a_context_takes_what_is_left() {
        // 32 layers with 8 heads of 128 for keys and as many for values: 256 KiB a token.
        let longest = |bytes| longest_context(&Config::LLAMA_3_1_8B, bytes);
        // Room comes for 64 at a time.
        assert_eq!(
            [0, (1 << 24) - 1, 1 << 24, 1 << 30, (1 << 30) + (1 << 23)].map(longest),
            [0, 0, 64, 4096, 4096]
        );
    }
}
