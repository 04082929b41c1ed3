//! Attention of the many tokens of a prompt's step: each read of keys and values serves several of them.

use gpu::{Access, Constant, Extent, Gpu, Kernel, Needs, PlanBuilder, Tensor};

use crate::attention::{self, AttentionForm, EACH_TURN, Each};
use crate::kv::KvCache;
use crate::step::STEP;

/// Rows of queries that a workgroup takes at most, a row being a query head of a token. Mirrors `attention_tiled.wgsl`.
const ROWS: usize = 32;

/// Query heads among them at most.
const QUERY_HEADS: usize = 8;

/// Tokens of a workgroup whose invocations are by themselves: as many as the widest CPU computes at once.
const EACH_TOKENS: u32 = 8;

/// Turns after which lavapipe ends all loops of an invocation together, silently (Mesa's `LP_MAX_TGSI_LOOP_ITERATIONS`).
const MOST_TURNS: usize = 65_535;

/// Shapes: `q` and `out` `[chunk, heads * head_dim]`. Token `i` sees the positions up to its own.
/// Panics if they disagree: that is a mistake in our code, not in a model file.
pub fn attention_of_many<'a>(
    plan: &mut PlanBuilder<'a>,
    form: AttentionForm,
    q: &'a Tensor,
    cache: &'a KvCache,
    out: &'a Tensor,
) {
    assert_eq!(q.shape(), out.shape(), "attention: out");
    assert_eq!(q.shape()[1], cache.heads().q_columns(), "attention: q");
    match form {
        AttentionForm::Together => tiled(plan, q, cache, out),
        AttentionForm::Each => each(plan, q, cache, out),
    }
}

impl AttentionForm {
    /// What this device should use for many tokens; see [`AttentionForm::of`]. Barriers cost a narrow device more than reading
    /// again, where it is the CPU; with lavapipe's lanes it is the other way round.
    pub fn of_many(gpu: &Gpu, cache: &KvCache) -> AttentionForm {
        match AttentionForm::of(gpu, cache.heads()) {
            AttentionForm::Each if gpu.is_narrow() && is_short(cache) => AttentionForm::Each,
            _ => AttentionForm::Together,
        }
    }
}

/// Whether an invocation can take all positions: it goes twice over a head's quads for every few of them.
pub(crate) fn is_short(cache: &KvCache) -> bool {
    let turns = 1 + 2 * cache.heads().head_dim / 4;
    cache.positions().div_ceil(EACH_TURN) * turns < MOST_TURNS
}

fn tiled<'a>(plan: &mut PlanBuilder<'a>, q: &'a Tensor, cache: &'a KvCache, out: &'a Tensor) {
    let heads = cache.heads();
    let group = heads.group(QUERY_HEADS);
    let tokens = (ROWS / group) as u32;
    let [quad, kv] = cache.dtype().wgsl();
    for part in cache.parts() {
        let kernel = Kernel {
            name: "attention_tiled",
            wgsl: vec![STEP, quad, kv, include_str!("attention_tiled.wgsl")],
            bindings: vec![Access::Read, Access::Read, Access::Read, Access::Write],
            needs: Needs::Nothing,
        };
        let mut constants = vec![Constant::U32("TOKENS", tokens)];
        constants.extend(attention::constants(cache, part, group));
        let groups = (part.kv_heads * heads.heads_per_kv() / group) as u32;
        let grid = [Extent::Fixed(groups), Extent::Tokens(tokens), Extent::Fixed(1)];
        plan.dispatch(kernel, &constants, &[q, &part.keys, &part.values, out], grid);
    }
}

fn each<'a>(plan: &mut PlanBuilder<'a>, q: &'a Tensor, cache: &'a KvCache, out: &'a Tensor) {
    let each = Each {
        pieces: vec![include_str!("attention_each_whole.wgsl")],
        q: (Access::Read, q.into()),
        outputs: vec![out],
        tokens: (EACH_TOKENS, Extent::Tokens(EACH_TOKENS)),
        splits: (1, Extent::Fixed(1)),
    };
    each.dispatch(plan, cache);
}
