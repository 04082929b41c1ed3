//! Attention of one token, whose positions are split, so that a device is busy though there is one token: each split
//! comes to sums of its own, and one dispatch more combines them.

use gpu::{Access, Allocator, Constant, Extent, GpuError, Kernel, Needs, PlanBuilder, Tensor};

use crate::attention::{self, AttentionForm, EACH_TURN, Each, attention};
use crate::kv::{Heads, KvCache, POSITION_BLOCK};
use crate::quantize::{Quantized, quantize, quantize_splits};
use crate::step::STEP;

/// Where a split lies, and what it comes to.
const SPLIT: &str = include_str!("attention_splits.wgsl");

/// What combines splits.
pub(crate) const COMBINED: &str = include_str!("attention_combined.wgsl");

/// Of the kernel that combines.
const WORKGROUP_SIZE: u32 = 64;

/// Splits that a workgroup takes, each by an invocation of its own: few, so that two cores have some each early on.
const EACH_WORKGROUP: usize = 4;

/// Positions up to which one workgroup takes all of a token's: fewer are not worth a dispatch more.
const WHOLE: usize = 128;

/// Into how many splits a token's positions are cut at most.
const SPLITS: usize = 32;

/// How the positions of a decoded token are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Splits {
    /// Workgroups for each group of heads.
    pub workgroups: u32,
    /// Positions of a split.
    pub len: u32,
}

impl Splits {
    /// Those of a token that sees `kv_len` positions, itself included; none if they are too few.
    pub fn of(form: AttentionForm, kv_len: usize) -> Option<Splits> {
        let len_in = |positions| kv_len.div_ceil(SPLITS).next_multiple_of(positions);
        let (len, together) = match form {
            AttentionForm::Together if kv_len <= WHOLE => return None,
            AttentionForm::Together => (len_in(POSITION_BLOCK), 1),
            AttentionForm::Each => (len_in(EACH_TURN), EACH_WORKGROUP),
        };
        Some(Splits { workgroups: kv_len.div_ceil(len * together) as u32, len: len as u32 })
    }
}

/// Where the splits of a token's attention lie before they are combined.
#[derive(Debug)]
pub struct SplitRoom {
    sums: Tensor,    // [SPLITS, heads * head_dim]
    weights: Tensor, // [SPLITS, 2 * heads] of (highest, total)
}

impl SplitRoom {
    /// Room for one token.
    pub fn new(make: &Allocator, heads: Heads) -> Result<SplitRoom, GpuError> {
        Ok(SplitRoom {
            sums: make.tensor("attention: sums", [SPLITS, heads.q_columns()])?,
            weights: make.tensor("attention: weights", [SPLITS, 2 * heads.heads])?,
        })
    }
}

/// One token's attention: as it was left, which may be in splits.
#[derive(Clone, Copy, Debug)]
pub struct Attended<'a> {
    form: AttentionForm,
    heads: Heads,
    room: &'a SplitRoom,
    out: &'a Tensor,
}

/// Attention of the first token of `q`, in as many splits as the step's [`Splits`] say, or whole in a step without: a
/// dispatch for each part of the cache. In `out` once it is [combined](Attended::combined).
///
/// Shapes: `q` and `out` `[1 or more, heads * head_dim]`; `q` is bound as a uniform where each invocation is by itself.
/// Panics if they disagree: that is a mistake in our code, not in a model file.
pub fn attention_of_one<'a>(
    plan: &mut PlanBuilder<'a>,
    form: AttentionForm,
    q: &'a Tensor,
    cache: &'a KvCache,
    room: &'a SplitRoom,
    out: &'a Tensor,
) -> Attended<'a> {
    assert_eq!(room.sums.shape(), [SPLITS, cache.heads().q_columns()], "attention: sums");
    assert_eq!(q.shape(), out.shape(), "attention: out");
    match form {
        AttentionForm::Together => {
            attention(plan, q, cache, out);
            together(plan, q, cache, room);
        }
        AttentionForm::Each => each(plan, q, cache, room),
    }
    Attended { form, heads: cache.heads(), room, out }
}

impl<'a> Attended<'a> {
    /// Adds a dispatch to the plan that combines splits, in steps with them. Gives `[1 or more, heads * head_dim]`.
    pub fn combined(self, plan: &mut PlanBuilder<'a>) -> &'a Tensor {
        combine(plan, self.heads, self.room, self.out);
        self.out
    }

    /// The same in whole numbers, in one dispatch where it is in splits whatever the step.
    /// Panics if `rounded` has not as many columns: that is a mistake in our code, not in a model file.
    pub fn rounded(self, plan: &mut PlanBuilder<'a>, rounded: &'a Quantized) {
        match self.form {
            AttentionForm::Together => {
                let combined = self.combined(plan);
                quantize(plan, combined, rounded);
            }
            AttentionForm::Each => {
                quantize_splits(plan, self.heads, [&self.room.sums, &self.room.weights], rounded);
            }
        }
    }
}

fn together<'a>(plan: &mut PlanBuilder<'a>, q: &'a Tensor, cache: &'a KvCache, room: &'a SplitRoom) {
    let grid = [Extent::Fixed(1), Extent::Splits];
    let outputs = [&room.sums, &room.weights];
    let pieces = [SPLIT, include_str!("attention_split.wgsl")];
    attention::dispatch(plan, q, cache, &pieces, &outputs, grid);
}

fn each<'a>(plan: &mut PlanBuilder<'a>, q: &'a Tensor, cache: &'a KvCache, room: &'a SplitRoom) {
    let each = Each {
        pieces: vec![SPLIT, include_str!("attention_each_split.wgsl")],
        q: (Access::Uniform, q.rows(0..1)),
        outputs: vec![&room.sums, &room.weights],
        tokens: (1, Extent::Fixed(1)),
        splits: (EACH_WORKGROUP as u32, Extent::Splits),
    };
    each.dispatch(plan, cache);
}

fn combine<'a>(plan: &mut PlanBuilder<'a>, heads: Heads, room: &'a SplitRoom, out: &'a Tensor) {
    let kernel = Kernel {
        name: "attention_combine",
        wgsl: vec![STEP, COMBINED, include_str!("attention_combine.wgsl")],
        bindings: vec![Access::Read, Access::Write, Access::Read],
        needs: Needs::Nothing,
    };
    let mut constants = vec![Constant::U32("WORKGROUP_SIZE", WORKGROUP_SIZE)];
    constants.extend(of_heads(heads));
    let groups = (heads.q_columns() as u32 / 4).div_ceil(WORKGROUP_SIZE);
    let grid = [Extent::Fixed(groups), Extent::Fixed(1), Extent::IfSplit];
    plan.dispatch(kernel, &constants, &[&room.sums, out, &room.weights], grid);
}

/// What [`COMBINED`] needs to know.
pub(crate) fn of_heads(heads: Heads) -> [Constant; 2] {
    [Constant::U32("HEADS", heads.heads as u32), Constant::U32("QUADS", (heads.head_dim / 4) as u32)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_cut_into_whole_turns_and_few_splits() {
        for (kv_len, together, each) in [
            (1, None, (1, 16)),
            (17, None, (1, 16)),
            (65, None, (2, 16)),
            (128, None, (2, 16)),
            (129, Some((3, 64)), (3, 16)),
            (512, Some((8, 64)), (8, 16)),
            (513, Some((9, 64)), (5, 32)),
            (2048, Some((32, 64)), (8, 64)),
            (2049, Some((17, 128)), (7, 80)),
            (131_072, Some((32, 4096)), (8, 4096)),
        ] {
            let found = |form| Splits::of(form, kv_len).map(|splits| (splits.workgroups, splits.len));
            assert_eq!(found(AttentionForm::Together), together, "{kv_len}");
            assert_eq!(found(AttentionForm::Each), Some(each), "{kv_len}");
        }
    }
}
