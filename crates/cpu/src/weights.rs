//! A model's weights in `f32`, gathered from a file that arrives piece by piece.
//!
//! Matrices are row-major, `[rows, columns]` = `[output features, input features]`.

use std::collections::HashMap;

use format::{Checkpoint, Config, FormatError, LayerPart, RowReader, Rows, Span, TensorName};

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

/// Takes the bytes of a model's files in order, in pieces of any size, and keeps the tensors.
#[derive(Debug)]
pub struct WeightsBuilder<'a> {
    config: Config,
    reader: RowReader<'a>,
    values: HashMap<TensorName, Vec<f32>>,
}

impl Weights {
    /// Begins to gather the tensors of a model.
    pub fn builder(checkpoint: &Checkpoint) -> WeightsBuilder<'_> {
        WeightsBuilder {
            config: checkpoint.config,
            reader: RowReader::new(checkpoint),
            values: HashMap::new(),
        }
    }
}

impl WeightsBuilder<'_> {
    /// Takes the bytes at `offset` of a file, as [`RowReader::push`] does.
    ///
    /// # Errors
    /// If bytes of a tensor have been left out, or there is no memory for it.
    pub fn push(&mut self, file: usize, offset: u64, bytes: &[u8]) -> Result<(), CpuError> {
        let WeightsBuilder { reader, values, .. } = self;
        reader.push(file, offset, bytes, &mut |rows| append(values, rows))
    }

    /// The bytes that are needed next, as [`RowReader::wants`] says.
    pub fn wants(&self) -> Option<Span> {
        self.reader.wants()
    }

    /// The weights, once all bytes have come.
    ///
    /// # Errors
    /// If a tensor is not whole.
    pub fn finish(mut self) -> Result<Weights, CpuError> {
        self.reader.finish()?;
        let lm_head = self.values.remove(&TensorName::LmHead);
        let rope_freqs = self.values.remove(&TensorName::RopeFreqs).or_else(|| self.config.rope_freqs());
        let mut take = |tensor: TensorName| {
            // A checkpoint has every tensor, so this is never missing; and the error would say what is.
            self.values.remove(&tensor).ok_or(FormatError::Incomplete { tensor, file: 0, expected: 0 })
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
}

/// Appends the values of rows that came.
fn append(values: &mut HashMap<TensorName, Vec<f32>>, rows: Rows) -> Result<(), CpuError> {
    let tensor = rows.tensor;
    let values = values.entry(tensor.name).or_default();
    if values.is_empty() {
        let out_of_memory = CpuError::OutOfMemory { tensor: tensor.name, weights: tensor.weights() };
        let weights = usize::try_from(tensor.weights()).map_err(|_| out_of_memory.clone())?;
        values.try_reserve_exact(weights).map_err(|_| out_of_memory)?;
    }
    Ok(rows.append_values(0..rows.count(), values)?)
}
