//! The weights on the device, by the names of the checkpoint.
//!
//! The only place outside of `format` that knows which tensor is which.

mod outline;
mod room;

use std::cell::RefCell;
use std::collections::BTreeSet;

use format::{Checkpoint, GgmlType, LayerPart, TensorName};
use gpu::{Allocator, Arithmetic, Gpu, GpuError, PlanBuilder, Tensor, Tier};
use kernels::{Quantized, Stream, gather, weigh};

use crate::LlamaError;
use crate::column_order::{Gathered, inverse, place};
use crate::matrix::Matrix;
use room::Room;

pub use outline::Outline;

/// All weights of a model.
#[derive(Debug)]
pub(crate) struct Weights {
    embed_tokens: Matrix,       // [vocab_size, hidden_size]
    embed_back: Option<Tensor>, // [1, hidden_size] where embed_tokens has each feature, if its columns have an order
    pub(crate) layers: Vec<LayerWeights>,
    pub(crate) norm: Tensor,                          // [1, hidden_size]
    pub(crate) lm_head: Option<Matrix>, // [vocab_size, hidden_size]; tied to embed_tokens if absent
    pub(crate) rope_freqs: RefCell<Option<Vec<f32>>>, // [head_dim / 2]
}

/// The weights of one layer.
#[derive(Debug)]
pub(crate) struct LayerWeights {
    pub(crate) input_layernorm: Tensor,          // [1, hidden_size]
    pub(crate) qkv_proj: Matrix,                 // [(heads + 2 kv_heads) * head_dim, hidden_size]
    pub(crate) o_proj: Matrix,                   // [hidden_size, heads * head_dim]
    pub(crate) post_attention_layernorm: Tensor, // [1, hidden_size]
    pub(crate) gate_up_proj: Matrix,             // [2 * intermediate_size, hidden_size]
    pub(crate) down_proj: Matrix,                // [hidden_size, intermediate_size]
}

/// Where a tensor of the file goes.
#[derive(Debug)]
pub(crate) enum Destination<'a> {
    /// To these rows of a matrix.
    Rows(&'a Matrix, usize),
    /// To a vector on the device.
    Vector(&'a Tensor),
    /// To the CPU, which computes the turns of RoPE.
    RopeFreqs,
}

impl Weights {
    /// Zeroed room for every tensor of a checkpoint, layer by layer.
    pub(crate) async fn allocate(gpu: &Gpu, checkpoint: &Checkpoint) -> Result<Weights, LlamaError> {
        // `Checkpoint` has every tensor that `Config` asks for; F32 stands for one that it could not lack.
        let dtype = |name| checkpoint.tensor(name).map_or(GgmlType::F32, |tensor| tensor.dtype);
        let room =
            Room { config: &checkpoint.config, dtype: &dtype, binding_bytes: gpu.limits().binding_bytes };
        let embed = room.stack(TensorName::EmbedTokens)?;
        let head =
            checkpoint.tensor(TensorName::LmHead).map(|_| room.stack(TensorName::LmHead)).transpose()?;
        let (embed_tokens, lm_head, norm) = gpu
            .allocate("the embeddings", |make| {
                let embed_tokens = room.matrix(make, "embed_tokens", &[embed])?;
                let lm_head = head.map(|head| room.matrix(make, "lm_head", &[head])).transpose()?;
                Ok((embed_tokens, lm_head, room.vector(make, TensorName::Norm)?))
            })
            .await?;
        let mut layers = Vec::with_capacity(checkpoint.config.num_hidden_layers);
        for index in 0..checkpoint.config.num_hidden_layers {
            layers.push(room.layer(gpu, index).await?);
        }
        let (embed_back, rope_freqs) = (None, RefCell::new(checkpoint.config.rope_freqs()));
        Ok(Weights { embed_tokens, embed_back, layers, norm, lm_head, rope_freqs })
    }

    /// What turns the last hidden state into logits: the embeddings, where they are tied.
    pub(crate) fn head(&self) -> &Matrix {
        self.lm_head.as_ref().unwrap_or(&self.embed_tokens)
    }

    /// Bytes on the device.
    pub(crate) fn bytes(&self) -> u64 {
        self.matrices().map(Matrix::bytes).sum()
    }

    /// Bytes of the table of embeddings that nothing else is read from: none where the head is the same matrix.
    pub(crate) fn table_bytes(&self) -> u64 {
        self.lm_head.as_ref().map_or(0, |_| self.embed_tokens.bytes())
    }

    /// Bytes of one of its rows.
    pub(crate) fn row_bytes(&self) -> u64 {
        self.embed_tokens.bytes() / self.embed_tokens.rows().max(1) as u64
    }

    fn matrices(&self) -> impl Iterator<Item = &Matrix> {
        let layers = self.layers.iter().flat_map(LayerWeights::matrices);
        layers.chain([&self.embed_tokens]).chain(&self.lm_head)
    }

    fn matrices_mut(&mut self) -> impl Iterator<Item = &mut Matrix> {
        let layers = self.layers.iter_mut().flat_map(|layer| {
            [&mut layer.qkv_proj, &mut layer.o_proj, &mut layer.gate_up_proj, &mut layer.down_proj]
        });
        layers.chain([&mut self.embed_tokens]).chain(&mut self.lm_head)
    }

    /// Puts the orders of columns on the device, if any came with the rows, and says whether that was so: then plans that
    /// were made before know nothing of them.
    pub(crate) async fn settle_orders(&mut self, gpu: &Gpu) -> Result<bool, GpuError> {
        if self.ordered_columns().is_empty() {
            return Ok(false);
        }
        let settle = |make: &Allocator| {
            let order = self.embed_tokens.orders().noted();
            self.embed_back = order.map(|order| place(gpu, make, &inverse(&order))).transpose()?;
            self.matrices_mut().try_for_each(|matrix| matrix.settle_orders(gpu, make))
        };
        gpu.allocate("the column orders", settle).await?;
        Ok(true)
    }

    /// The numbers of columns of the matrices that have them in another order than the activations.
    pub(crate) fn ordered_columns(&self) -> BTreeSet<usize> {
        self.matrices().filter(|matrix| matrix.orders().is_any()).map(Matrix::columns).collect()
    }

    /// The numbers of columns of the matrices that are multiplied with whole numbers.
    pub(crate) fn rounded_columns(&self, gpu: &Gpu) -> BTreeSet<usize> {
        rounded_columns(self.matrices(), gpu)
    }

    /// Adds the look-up of `tokens`, `[1, chunk]`, to the plan: `out` is `[chunk, hidden_size]`.
    pub(crate) fn embed<'a>(
        &'a self,
        plan: &mut PlanBuilder<'a>,
        tokens: &'a Tensor,
        gathered: &'a Gathered,
        out: &'a Tensor,
    ) {
        let Some(back) = &self.embed_back else { return self.embed_tokens.embed(plan, tokens, out) };
        let stored = gathered.room(self.embed_tokens.columns());
        self.embed_tokens.embed(plan, tokens, stored);
        gather(plan, stored, back, out);
    }

    /// Adds the look-up of the first of `tokens` to the plan: where its residual stream begins. `gain` is of the first norm.
    pub(crate) fn embed_one<'a>(
        &'a self,
        plan: &mut PlanBuilder<'a>,
        tokens: &'a Tensor,
        gathered: &'a Gathered,
        gain: &'a Tensor,
        stream: Stream<'a>,
    ) {
        if self.embed_back.is_none() {
            return self.embed_tokens.embed_one(plan, tokens, gain, stream);
        }
        self.embed(plan, tokens, gathered, stream.hidden);
        weigh(plan, gain, stream);
    }

    /// Where a tensor goes. Stacked tensors come in the order q, k, v, and gate, up.
    pub(crate) fn destination(&self, checkpoint: &Checkpoint, name: TensorName) -> Option<Destination<'_>> {
        use LayerPart::*;
        let rows = |parts: &[LayerPart], index| -> usize {
            let of = |part: &LayerPart| checkpoint.config.shape(TensorName::Layer { index, part: *part })[0];
            parts.iter().map(of).sum()
        };
        Some(match name {
            TensorName::EmbedTokens => Destination::Rows(&self.embed_tokens, 0),
            TensorName::Norm => Destination::Vector(&self.norm),
            TensorName::LmHead => Destination::Rows(self.lm_head.as_ref()?, 0),
            TensorName::RopeFreqs => Destination::RopeFreqs,
            TensorName::Layer { index, part } => {
                let layer = self.layers.get(index)?;
                match part {
                    InputLayernorm => Destination::Vector(&layer.input_layernorm),
                    QProj => Destination::Rows(&layer.qkv_proj, 0),
                    KProj => Destination::Rows(&layer.qkv_proj, rows(&[QProj], index)),
                    VProj => Destination::Rows(&layer.qkv_proj, rows(&[QProj, KProj], index)),
                    OProj => Destination::Rows(&layer.o_proj, 0),
                    PostAttentionLayernorm => Destination::Vector(&layer.post_attention_layernorm),
                    GateProj => Destination::Rows(&layer.gate_up_proj, 0),
                    UpProj => Destination::Rows(&layer.gate_up_proj, rows(&[GateProj], index)),
                    DownProj => Destination::Rows(&layer.down_proj, 0),
                }
            }
        })
    }
}

impl LayerWeights {
    /// Its matrices, in the order in which a token meets them.
    pub(crate) fn matrices(&self) -> [&Matrix; 4] {
        [&self.qkv_proj, &self.o_proj, &self.gate_up_proj, &self.down_proj]
    }
}

/// The numbers of columns of those matrices that a tier multiplies with whole numbers.
pub(crate) fn rounded_columns<'a>(
    matrices: impl IntoIterator<Item = &'a Matrix>,
    gpu: &Gpu,
) -> BTreeSet<usize> {
    let is_any = gpu.tier() == Tier::Int8 || gpu.arithmetic() == Arithmetic::WholeNumbers;
    let quantized = matrices.into_iter().filter(|matrix| is_any && matrix.has_quants());
    quantized.map(Matrix::columns).filter(|columns| Quantized::fits(*columns)).collect()
}
