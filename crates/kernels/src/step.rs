//! What changes from step to step: the one parameter block that every kernel sees.

use bytemuck::{Pod, Zeroable};

pub(crate) const STEP: &str = include_str!("step.wgsl");

/// Mirrors `Step` in `step.wgsl`. Sizes that do not change are constants of each kernel instead.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct StepParams {
    /// Position of the step's first token.
    pub position: u32,
    /// Tokens in this step.
    pub seq_len: u32,
    /// The token of this step whose logits are wanted, counted from its first.
    pub row: u32,
    /// Where in the ring the chosen id goes.
    pub slot: u32,
    /// Positions that a workgroup of attention takes, where a decoded token's are split.
    pub split_len: u32,
}
