//! The forward pass, as lists of dispatches over buffers that are made once.
//!
//! Per layer 9 dispatches where q, k, v and gate, up share a type; 4 more for embedding, last norm, head and choice.
//! A choice other than the likeliest takes up to 2 more: see `sampler`.
//! Where a matrix's columns have an order of their own, a gather comes before its product.

use format::Config;
use gpu::{Allocator, Gpu, GpuError, Plan, PlanBuilder, Tensor};
use kernels::{Heads, KvCache, Output, Rows, argmax, argmax_each, attention, rms_norm, rope, silu_mul};

use crate::column_order::Gathered;
use crate::matrix::Phase;
use crate::weights::{LayerWeights, Weights};

/// Ids that the GPU has chosen and the CPU has not read yet: more than are ever in flight.
pub(crate) const RING: usize = 32;

/// The activations of a step. `chunk` is the most tokens that a step takes.
#[derive(Debug)]
pub(crate) struct Activations {
    pub(crate) tokens: Tensor, // [1, chunk] ids; the first is also where the GPU feeds back its choice
    pub(crate) turns: Tensor,  // [chunk, head_dim] (cos, sin) of RoPE
    hidden: Tensor,            // [chunk, hidden_size] the residual stream
    normed: Tensor,            // [chunk, hidden_size]
    qkv: Tensor,               // [chunk, (heads + 2 kv_heads) * head_dim]
    q: Tensor,                 // [chunk, heads * head_dim]
    attended: Tensor,          // [chunk, heads * head_dim]
    gate_up: Tensor,           // [chunk, 2 * intermediate_size]
    act: Tensor,               // [chunk, intermediate_size]
    gathered: Gathered,        // [chunk, columns] what any of these is in the order of a matrix's columns
    wanted: Tensor,            // [1, hidden_size] the token whose logits are wanted
    pub(crate) logits: Tensor, // [1, vocab_size]
    pub(crate) sampled: Tensor, // [1, RING] chosen ids
}

/// What a step runs.
#[derive(Debug)]
pub(crate) struct Plans {
    /// The layers, for many tokens.
    pub(crate) prefill: Plan,
    /// The layers, for one token.
    pub(crate) decode: Plan,
    /// Logits of the wanted token.
    pub(crate) head: Plan,
    /// The id of the highest of them.
    pub(crate) argmax: Plan,
}

/// Logits after every token of a step, for those who measure. Made when it is first asked for.
#[derive(Debug)]
pub(crate) struct Each {
    pub(crate) logits: Tensor,  // [EACH, vocab_size]
    pub(crate) choices: Tensor, // [1, EACH]
    pub(crate) head: Plan,
}

/// Most tokens whose logits are computed in one step: 16 MB of them for a vocabulary of 128,256.
pub(crate) const EACH: usize = 32;

impl Each {
    pub(crate) async fn new(
        gpu: &Gpu,
        config: &Config,
        weights: &Weights,
        buffers: &Activations,
    ) -> Result<Each, GpuError> {
        let rows = EACH.min(buffers.hidden.shape()[0]);
        let make = |make: &Allocator| {
            Ok((make.tensor("logits", [rows, config.vocab_size])?, make.tensor("choices", [1, rows])?))
        };
        let (logits, choices) = gpu.allocate("the logits", make).await?;
        let mut plan = gpu.plan();
        let eps = config.rms_norm_eps;
        rms_norm(&mut plan, &buffers.hidden, &weights.norm, eps, Rows::All, &buffers.normed);
        weights.head().product(
            &mut plan,
            Phase::Prefill,
            &buffers.normed,
            &buffers.gathered,
            Output::Columns(0),
            &logits,
        );
        argmax_each(&mut plan, &logits, &choices);
        let head = plan.finish().await?;
        Ok(Each { logits, choices, head })
    }
}

impl Activations {
    pub(crate) fn new(
        make: &Allocator,
        config: &Config,
        chunk: usize,
        weights: &Weights,
    ) -> Result<Activations, GpuError> {
        let Config { hidden_size, intermediate_size, .. } = *config;
        let heads = heads(config);
        Ok(Activations {
            tokens: make.tensor("tokens", [1, chunk])?,
            turns: make.tensor("turns", [chunk, heads.head_dim])?,
            hidden: make.tensor("hidden", [chunk, hidden_size])?,
            normed: make.tensor("normed", [chunk, hidden_size])?,
            qkv: make.tensor("qkv", [chunk, heads.qkv_columns()])?,
            q: make.tensor("q", [chunk, heads.q_columns()])?,
            attended: make.tensor("attended", [chunk, heads.q_columns()])?,
            gate_up: make.tensor("gate_up", [chunk, 2 * intermediate_size])?,
            act: make.tensor("act", [chunk, intermediate_size])?,
            gathered: Gathered::new(make, chunk, weights.ordered_columns())?,
            wanted: make.tensor("wanted", [1, hidden_size])?,
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
        let body = async |phase| {
            let mut plan = gpu.plan();
            weights.embed(&mut plan, &buffers.tokens, &buffers.gathered, &buffers.hidden);
            for (layer, cache) in weights.layers.iter().zip(caches) {
                forward(&mut plan, phase, config, layer, cache, buffers);
            }
            plan.finish().await
        };
        let (prefill, decode) = (body(Phase::Prefill).await?, body(Phase::Decode).await?);

        let mut plan = gpu.plan();
        rms_norm(
            &mut plan,
            &buffers.hidden,
            &weights.norm,
            config.rms_norm_eps,
            Rows::Wanted,
            &buffers.wanted,
        );
        weights.head().product(
            &mut plan,
            Phase::Decode,
            &buffers.wanted,
            &buffers.gathered,
            Output::Columns(0),
            &buffers.logits,
        );
        let head = plan.finish().await?;

        let mut plan = gpu.plan();
        argmax(&mut plan, &buffers.logits, &buffers.sampled, &buffers.tokens);
        Ok(Plans { prefill, decode, head, argmax: plan.finish().await? })
    }
}

/// One layer: `h += attention(norm(h))`, then `h += mlp(norm(h))`.
fn forward<'a>(
    plan: &mut PlanBuilder<'a>,
    phase: Phase,
    config: &Config,
    layer: &'a LayerWeights,
    cache: &'a KvCache,
    buffers: &'a Activations,
) {
    let Activations { turns, hidden, normed, qkv, q, attended, gate_up, act, gathered, .. } = buffers;
    let eps = config.rms_norm_eps;

    // Attention: normalise, project to q, k and v, turn them by their position, attend, project back.
    rms_norm(plan, hidden, &layer.input_layernorm, eps, Rows::All, normed);
    layer.qkv_proj.product(plan, phase, normed, gathered, Output::Columns(0), qkv);
    rope(plan, qkv, turns, q, cache);
    attention(plan, q, cache, attended);
    layer.o_proj.product(plan, phase, attended, gathered, Output::Residual(0), hidden);

    // MLP: normalise, widen twice, gate, narrow.
    rms_norm(plan, hidden, &layer.post_attention_layernorm, eps, Rows::All, normed);
    layer.gate_up_proj.product(plan, phase, normed, gathered, Output::Columns(0), gate_up);
    silu_mul(plan, gate_up, act);
    layer.down_proj.product(plan, phase, act, gathered, Output::Residual(0), hidden);
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
    let Activations { tokens, turns, hidden, normed, qkv, q, gathered, .. } = buffers;
    let (mut project, mut turn) = (gpu.plan(), gpu.plan());
    weights.embed(&mut project, tokens, gathered, hidden);
    for (layer, cache) in weights.layers.iter().zip(caches) {
        rms_norm(&mut project, hidden, &layer.input_layernorm, config.rms_norm_eps, Rows::All, normed);
        layer.qkv_proj.product(&mut project, Phase::Prefill, normed, gathered, Output::Columns(0), qkv);
        rope(&mut turn, qkv, turns, q, cache);
    }
    Ok([project.finish().await?, turn.finish().await?])
}

pub(crate) fn heads(config: &Config) -> Heads {
    Heads {
        heads: config.num_attention_heads,
        kv_heads: config.num_key_value_heads,
        head_dim: config.head_dim,
    }
}
