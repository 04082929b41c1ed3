//! Causal attention over the KV cache: `out = softmax(q Kᵀ / sqrt(head_dim)) V`, for decode and prefill alike.

use std::f32::consts::LOG2_E;

use gpu::{Access, Constant, Extent, Gpu, Kernel, Needs, PlanBuilder, Tensor, Tier, UNIFORM_BYTES, View};

use crate::kv::{Heads, KvCache, KvPart};
use crate::step::STEP;

/// Query values that a workgroup keeps at hand: with scores, statistics and room to spare inside 16 KiB.
const QUERY_VALUES: usize = 2048;

/// Query heads that a workgroup takes at most.
const QUERY_HEADS: usize = 8;

/// Of q, keys, values and what is written: one tensor or two.
const BINDINGS: [Access; 5] = [Access::Read, Access::Read, Access::Read, Access::Write, Access::Write];

/// Query heads that an invocation takes at most that is by itself: a vector has a value for each.
const EACH_HEADS: usize = 4;

/// Positions that it takes at once. Mirrors `TURN` in `attention_each.wgsl`.
pub(crate) const EACH_TURN: usize = 16;

/// Who takes a token's positions. All forms come to the same; which is fastest depends on the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttentionForm {
    /// A workgroup, through its memory: for GPUs.
    Together,
    /// An invocation, without barriers: for a CPU that stands for a GPU.
    Each,
}

impl AttentionForm {
    /// What this device should use, with the kernels that it is turned to: those for the CPU where it is one, so that a
    /// GPU's can be counted on it.
    pub fn of(gpu: &Gpu, heads: Heads) -> AttentionForm {
        let is_bindable = 4 * heads.q_columns() as u64 <= UNIFORM_BYTES;
        let is_for_cpu = matches!(gpu.tier(), Tier::Plain | Tier::Int8) && gpu.report().software;
        if is_for_cpu && is_bindable { AttentionForm::Each } else { AttentionForm::Together }
    }
}

/// The attention of each token by itself, for few of them: a dispatch for each part of the cache, in steps without splits.
///
/// Shapes: `q` and `out` `[chunk, heads * head_dim]`. Token `i` sees the positions up to its own.
/// Panics if they disagree: that is a mistake in our code, not in a model file.
pub fn attention<'a>(plan: &mut PlanBuilder<'a>, q: &'a Tensor, cache: &'a KvCache, out: &'a Tensor) {
    assert_eq!(q.shape(), out.shape(), "attention: out");
    let grid = [Extent::Tokens(1), Extent::IfWhole];
    dispatch(plan, q, cache, &[include_str!("attention_whole.wgsl")], &[out], grid);
}

/// The dispatches for the parts of the cache. `pieces` say which positions a workgroup takes and where its sums go.
pub(crate) fn dispatch<'a>(
    plan: &mut PlanBuilder<'a>,
    q: &'a Tensor,
    cache: &'a KvCache,
    pieces: &[&'static str],
    outputs: &[&'a Tensor],
    [tokens, splits]: [Extent; 2],
) {
    let heads = cache.heads();
    assert_eq!(q.shape()[1], heads.q_columns(), "attention: q");

    let [quad, kv] = cache.dtype().wgsl();
    let group = heads.group((QUERY_VALUES / heads.head_dim).clamp(1, QUERY_HEADS));
    for part in cache.parts() {
        let kernel = Kernel {
            name: "attention",
            wgsl: [&[STEP, quad, kv], pieces, &[include_str!("attention.wgsl")]].concat(),
            bindings: BINDINGS[..3 + outputs.len()].to_vec(),
            needs: Needs::Nothing,
        };
        let groups = (part.kv_heads * heads.heads_per_kv() / group) as u32;
        let tensors = [&[q, &part.keys, &part.values], outputs].concat();
        let grid = [Extent::Fixed(groups), tokens, splits];
        plan.dispatch(kernel, &constants(cache, part, group), &tensors, grid);
    }
}

/// What a kernel needs to know that takes `group` query heads at once.
pub(crate) fn constants(cache: &KvCache, part: &KvPart, group: usize) -> Vec<Constant> {
    let heads = cache.heads();
    let mut constants = vec![
        Constant::U32("GROUP", group as u32),
        Constant::U32("HEADS_PER_KV", heads.heads_per_kv() as u32),
        Constant::U32("FIRST_HEAD", (part.first_kv_head * heads.heads_per_kv()) as u32),
        Constant::F32("SCALE", LOG2_E / (heads.head_dim as f32).sqrt()),
    ];
    constants.extend(cache.constants(part));
    constants
}

/// Attention without barriers: what differs between one token's, in splits, and many tokens', whole.
pub(crate) struct Each<'a> {
    pub(crate) pieces: Vec<&'static str>,
    pub(crate) q: (Access, View<'a>),
    pub(crate) outputs: Vec<&'a Tensor>,
    /// How many a workgroup takes, and how many workgroups there are.
    pub(crate) tokens: (u32, Extent),
    /// The same.
    pub(crate) splits: (u32, Extent),
}

impl<'a> Each<'a> {
    /// A dispatch for each part of the cache.
    pub(crate) fn dispatch(&self, plan: &mut PlanBuilder<'a>, cache: &'a KvCache) {
        let heads = cache.heads();
        let group = heads.group(EACH_HEADS);
        let [quad, kv] = cache.dtype().wgsl();
        let (access, q) = &self.q;
        for part in cache.parts() {
            let kernel = Kernel {
                name: "attention_each",
                wgsl: [&[STEP, quad, kv], &self.pieces[..], &[include_str!("attention_each.wgsl")]].concat(),
                bindings: [vec![*access], BINDINGS[1..3 + self.outputs.len()].to_vec()].concat(),
                needs: Needs::Nothing,
            };
            let mut constants = vec![
                Constant::U32("TOKENS_AT_ONCE", self.tokens.0),
                Constant::U32("SPLITS_AT_ONCE", self.splits.0),
            ];
            constants.extend(self::constants(cache, part, group));
            let inputs = [q.clone(), (&part.keys).into(), (&part.values).into()];
            let outputs = self.outputs.iter().map(|output| View::from(*output));
            let views: Vec<View> = inputs.into_iter().chain(outputs).collect();
            let groups = (part.kv_heads * heads.heads_per_kv() / group) as u32;
            plan.dispatch(kernel, &constants, &views, [Extent::Fixed(groups), self.tokens.1, self.splits.1]);
        }
    }
}

#[cfg(test)]
mod tests;
