//! The forward pass, as lists of dispatches over buffers that are made once.
//!
//! One token takes 5 dispatches a layer where q, k, v share a type, and gate and up, and one more where attention is split;
//! 3 more for embedding, head and choice. Bytes and parts in the KV cache take one a layer more. A choice other than the likeliest takes up to 2 more: see `sampler`.
//! Where a matrix's columns have an order of their own, a gather comes before its product; where whole numbers are multiplied,
//! the rounding of its activations.

mod each;
mod layer;

use std::collections::BTreeSet;

use format::Config;
use gpu::{Allocator, Gpu, GpuError, Plan, PlanBuilder, Tensor};
use kernels::{
    Attending, AttentionForm, Heads, KvCache, MatmulForm, Normed, Output, SplitRoom, Splits, Stream, argmax,
    attention, attention_of_many, attention_of_one, fills, rms_norm, rope, silu_mul, weigh,
};

use crate::prepared::Prepared;
use crate::weights::{LayerWeights, Weights};

pub(crate) use each::{EACH, Each};
pub(crate) use layer::LayerPlans;

/// Ids that the GPU has chosen and the CPU has not read yet: more than are ever in flight.
pub(crate) const RING: usize = 32;

/// The activations of a step. `chunk` is the most tokens that a step takes.
#[derive(Debug)]
pub(crate) struct Activations {
    pub(crate) tokens: Tensor, // [1, chunk] ids; the first is also where the GPU feeds back its choice
    pub(crate) turns: Tensor,  // [chunk, head_dim] (cos, sin) of RoPE
    pub(crate) hidden: Tensor, // [chunk, hidden_size] the residual stream
    normed: Tensor,            // [chunk, hidden_size]
    qkv: Tensor,               // [chunk, (heads + 2 kv_heads) * head_dim]
    q: Tensor,                 // [chunk, heads * head_dim]
    attended: Tensor,          // [chunk, heads * head_dim]
    gate_up: Tensor,           // [chunk, 2 * intermediate_size]
    act: Tensor,               // [chunk, intermediate_size]
    weighted: Tensor,          // [1, hidden_size] what the next product of one token reads
    squares: Tensor,           // [1, hidden_size / 4] sums of squares, by which it normalises
    splits: SplitRoom,         // of one token's attention
    prepared: Prepared,        // [chunk, columns] what any of these is as a matrix reads it
    pub(crate) logits: Tensor, // [1, vocab_size]
    pub(crate) sampled: Tensor, // [1, RING] chosen ids
}

/// What a step runs.
#[derive(Debug)]
pub(crate) struct Plans {
    /// The layers, for many tokens.
    pub(crate) prefill: Plan,
    /// What the head wants to know of one of them.
    pub(crate) wanted: Plan,
    /// The layers, for one token.
    pub(crate) decode: Plan,
    /// Logits of the wanted token.
    pub(crate) head: Plan,
    /// The id of the highest of them.
    pub(crate) argmax: Plan,
}

/// The numbers of columns of the matrices that read activations in another form than they are left in.
#[derive(Debug, Default)]
pub(crate) struct Columns {
    pub(crate) ordered: BTreeSet<usize>,
    pub(crate) rounded: BTreeSet<usize>,
}

impl Activations {
    pub(crate) fn new(
        make: &Allocator,
        config: &Config,
        chunk: usize,
        columns: Columns,
    ) -> Result<Activations, GpuError> {
        let Config { hidden_size, intermediate_size, .. } = *config;
        let heads = heads(config);
        Ok(Activations {
            tokens: make.tensor("tokens", [1, chunk])?,
            turns: make.tensor("turns", [chunk, heads.head_dim])?,
            hidden: make.tensor("hidden", [chunk, hidden_size])?,
            normed: make.tensor("normed", [chunk, hidden_size])?,
            qkv: make.tensor("qkv", [chunk, heads.qkv_columns()])?,
            q: make.uniform("q", [chunk, heads.q_columns()])?,
            attended: make.tensor("attended", [chunk, heads.q_columns()])?,
            gate_up: make.tensor("gate_up", [chunk, 2 * intermediate_size])?,
            act: make.tensor("act", [chunk, intermediate_size])?,
            prepared: Prepared::new(make, chunk, columns.ordered, columns.rounded)?,
            weighted: make.tensor("weighted", [1, hidden_size])?,
            squares: make.uniform("squares", [1, hidden_size / 4])?,
            splits: SplitRoom::new(make, heads)?,
            logits: make.tensor("logits", [1, config.vocab_size])?,
            sampled: make.tensor("sampled", [1, RING])?,
        })
    }
}

impl Plans {
    pub(crate) async fn new(
        gpu: &Gpu,
        config: &Config,
        weights: &Weights,
        caches: &[KvCache],
        buffers: &Activations,
    ) -> Result<Plans, GpuError> {
        let prefill = layers(gpu, MatmulForm::of_many(gpu), config, weights, caches, buffers).await?;

        let mut plan = gpu.plan();
        weigh(&mut plan, &weights.norm, buffers.stream());
        let wanted = plan.finish().await?;

        let mut plan = gpu.plan();
        let mut gains = weights.layers.iter().map(|layer| &layer.input_layernorm).chain([&weights.norm]);
        if let Some(gain) = gains.next() {
            weights.embed_one(&mut plan, &buffers.tokens, &buffers.prepared.gathered, gain, buffers.stream());
        }
        for ((layer, cache), next_gain) in weights.layers.iter().zip(caches).zip(gains) {
            decode(&mut plan, Decoded::All, config, layer, next_gain, cache, buffers);
        }
        let decode = plan.finish().await?;

        let mut plan = gpu.plan();
        weights.head().product_of_one(&mut plan, buffers.normed(config), &buffers.prepared, &buffers.logits);
        let head = plan.finish().await?;

        let mut plan = gpu.plan();
        argmax(&mut plan, &buffers.logits, &buffers.sampled, &buffers.tokens);
        Ok(Plans { prefill, wanted, decode, head, argmax: plan.finish().await? })
    }
}

impl Activations {
    /// The residual stream of one token.
    fn stream(&self) -> Stream<'_> {
        Stream { hidden: &self.hidden, weighted: &self.weighted, squares: &self.squares }
    }

    /// The same as the next product reads it.
    fn normed(&self, config: &Config) -> Normed<'_> {
        Normed { weighted: &self.weighted, squares: &self.squares, eps: config.rms_norm_eps }
    }
}

/// The embeddings and all layers, for many tokens.
async fn layers(
    gpu: &Gpu,
    form: MatmulForm,
    config: &Config,
    weights: &Weights,
    caches: &[KvCache],
    buffers: &Activations,
) -> Result<Plan, GpuError> {
    let mut plan = gpu.plan();
    weights.embed(&mut plan, &buffers.tokens, &buffers.prepared.gathered, &buffers.hidden);
    for (layer, cache) in weights.layers.iter().zip(caches) {
        prefill(&mut plan, form, config, layer, cache, buffers);
    }
    plan.finish().await
}

/// One layer, for many tokens: `h += attention(norm(h))`, then `h += mlp(norm(h))`.
fn prefill<'a>(
    plan: &mut PlanBuilder<'a>,
    form: MatmulForm,
    config: &Config,
    layer: &'a LayerWeights,
    cache: &'a KvCache,
    buffers: &'a Activations,
) {
    let Activations { turns, hidden, normed, qkv, q, attended, gate_up, act, prepared, .. } = buffers;
    let eps = config.rms_norm_eps;

    // Attention: normalise, project to q, k and v, turn them by their position, attend, project back.
    rms_norm(plan, hidden, &layer.input_layernorm, eps, normed);
    layer.qkv_proj.product(plan, form, normed, prepared, Output::Columns(0), qkv);
    rope(plan, qkv, turns, q, cache);
    if form == MatmulForm::Few {
        attention(plan, q, cache, attended);
    } else {
        attention_of_many(plan, AttentionForm::of_many(plan.gpu(), cache), q, cache, attended);
    }
    layer.o_proj.product(plan, form, attended, prepared, Output::Residual(0), hidden);

    // MLP: normalise, widen twice, gate, narrow.
    rms_norm(plan, hidden, &layer.post_attention_layernorm, eps, normed);
    layer.gate_up_proj.product(plan, form, normed, prepared, Output::Columns(0), gate_up);
    silu_mul(plan, gate_up, act);
    layer.down_proj.product(plan, form, act, prepared, Output::Residual(0), hidden);
}

/// What of a token's dispatches a plan has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Decoded {
    All,
    /// The products of matrices, to be timed alone.
    Products,
}

/// The products of matrices that one token takes, the head's among them.
pub(crate) async fn products(
    gpu: &Gpu,
    config: &Config,
    weights: &Weights,
    caches: &[KvCache],
    buffers: &Activations,
) -> Result<Plan, GpuError> {
    let mut plan = gpu.plan();
    for (layer, cache) in weights.layers.iter().zip(caches) {
        decode(&mut plan, Decoded::Products, config, layer, &layer.input_layernorm, cache, buffers);
    }
    weights.head().product_of_one(&mut plan, buffers.normed(config), &buffers.prepared, &buffers.logits);
    plan.finish().await
}

/// The same for one token. Norms are no dispatches: whoever adds to the stream leaves what the next product wants of it,
/// which after this layer is a product behind the norm of `next_gain`.
fn decode<'a>(
    plan: &mut PlanBuilder<'a>,
    what: Decoded,
    config: &Config,
    layer: &'a LayerWeights,
    next_gain: &'a Tensor,
    cache: &'a KvCache,
    buffers: &'a Activations,
) {
    let Activations { turns, qkv, q, attended, gate_up, act, prepared, splits, .. } = buffers;
    let (stream, normed) = (buffers.stream(), buffers.normed(config));

    // Attention. A step attends either in splits or without them.
    if fills(cache) {
        layer.qkv_proj.qkv(plan, normed, prepared, Attending { turns, q, cache });
    } else {
        layer.qkv_proj.product_of_one(plan, normed, prepared, qkv);
        rope(plan, qkv, turns, q, cache);
    }
    let attended = match what {
        Decoded::All => {
            let form = AttentionForm::of(plan.gpu(), cache.heads());
            let attended = attention_of_one(plan, form, q, cache, splits, attended);
            layer.o_proj.attended(plan, attended, prepared)
        }
        Decoded::Products => attended.into(),
    };
    layer.o_proj.residual(plan, attended, prepared, &layer.post_attention_layernorm, stream);

    // MLP.
    if !layer.gate_up_proj.gate_up(plan, normed, prepared, act) {
        layer.gate_up_proj.product_of_one(plan, normed, prepared, gate_up);
        silu_mul(plan, gate_up, act);
    }
    layer.down_proj.residual(plan, act.into(), prepared, next_gain, stream);
}

/// The part of a prefill that fills the cache of a model of one layer: q, k and v of the tokens, and their turning,
/// which alone depends on positions.
#[cfg(test)]
pub(crate) async fn keys_and_values(
    gpu: &Gpu,
    config: &Config,
    weights: &Weights,
    caches: &[KvCache],
    buffers: &Activations,
) -> Result<[Plan; 2], GpuError> {
    let Activations { tokens, turns, hidden, normed, qkv, q, prepared, .. } = buffers;
    let (mut project, mut turn) = (gpu.plan(), gpu.plan());
    weights.embed(&mut project, tokens, &prepared.gathered, hidden);
    for (layer, cache) in weights.layers.iter().zip(caches) {
        rms_norm(&mut project, hidden, &layer.input_layernorm, config.rms_norm_eps, normed);
        layer.qkv_proj.product(
            &mut project,
            MatmulForm::of_many(gpu),
            normed,
            prepared,
            Output::Columns(0),
            qkv,
        );
        rope(&mut turn, qkv, turns, q, cache);
    }
    Ok([project.finish().await?, turn.finish().await?])
}

/// How a decoded token's attention is cut on this device, if it sees so many positions.
pub(crate) fn splits(gpu: &Gpu, config: &Config, kv_len: usize) -> Option<Splits> {
    Splits::of(AttentionForm::of(gpu, heads(config)), kv_len)
}

pub(crate) fn heads(config: &Config) -> Heads {
    Heads {
        heads: config.num_attention_heads,
        kv_heads: config.num_key_value_heads,
        head_dim: config.head_dim,
    }
}
