//! Causal attention over the KV cache: `out = softmax(q Kᵀ / sqrt(head_dim)) V`, for decode and prefill alike.

use std::f32::consts::LOG2_E;

use gpu::{Access, Constant, Extent, Kernel, Needs, PlanBuilder, Tensor};

use crate::kv::{KvCache, KvPart};
use crate::step::STEP;

/// Query values that a workgroup keeps at hand: with scores, statistics and room to spare inside 16 KiB.
const QUERY_VALUES: usize = 2048;

/// Query heads that a workgroup takes at most.
const QUERY_HEADS: usize = 8;

/// Of q, keys, values and what is written: one tensor or two.
const BINDINGS: [Access; 5] = [Access::Read, Access::Read, Access::Read, Access::Write, Access::Write];

/// A dispatch for each part of the cache, in steps without splits.
///
/// Shapes: `q` and `out` `[chunk, heads * head_dim]`. Token `i` sees the positions up to its own.
/// Panics if they disagree: that is a mistake in our code, not in a model file.
pub fn attention<'a>(plan: &mut PlanBuilder<'a>, q: &'a Tensor, cache: &'a KvCache, out: &'a Tensor) {
    assert_eq!(q.shape(), out.shape(), "attention: out");
    let grid = [Extent::Tokens(1), Extent::IfWhole];
    dispatch(plan, q, cache, include_str!("attention_whole.wgsl"), &[out], grid);
}

/// The dispatches for the parts of the cache. `piece` says which positions a workgroup takes and where its sums go.
pub(crate) fn dispatch<'a>(
    plan: &mut PlanBuilder<'a>,
    q: &'a Tensor,
    cache: &'a KvCache,
    piece: &'static str,
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
            wgsl: vec![STEP, quad, kv, piece, include_str!("attention.wgsl")],
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

#[cfg(test)]
mod tests;
