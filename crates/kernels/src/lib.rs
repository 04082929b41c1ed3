//! The operations of a Llama forward pass on the GPU: one operation = one `.rs` + one `.wgsl` + its CPU reference.
//!
//! Each `.rs` adds its dispatch to a plan and holds, in its test module, the same operation on the CPU.
//! Every activation is an f32 matrix `[seq_len, features]`; weights are packed as [`format::layout`] says.
//! Pieces that several shaders share: `step.wgsl`, `sampling.wgsl`, `reduce.wgsl`, `tile*.wgsl`, `turn.wgsl`, `best.wgsl`, `kv*.wgsl`,
//! `quants_*.wgsl` and `scales_*.wgsl`. Drawing a token is held to `cpu`'s sampler, which draws too.

mod adjust;
mod argmax;
mod argmax_each;
mod attention;
mod attention_of_many;
mod attention_of_one;
mod checksum;
mod embed;
mod gate_up;
mod gather;
mod input;
mod kv;
mod log_probs;
mod made_up;
mod matmul;
mod matvec;
mod output;
mod qkv;
mod quantize;
mod residual;
mod rms_norm;
mod rope;
mod sample;
mod sampling;
mod silu_mul;
mod sources;
mod step;
mod weigh;
mod weight;

#[cfg(test)]
mod check;

pub use adjust::adjust;
pub use argmax::{NOT_A_NUMBER, argmax};
pub use argmax_each::argmax_each;
pub use attention::{AttentionForm, attention};
pub use attention_of_many::attention_of_many;
pub use attention_of_one::{Attended, SplitRoom, Splits, attention_of_one};
pub use checksum::checksum;
pub use embed::{embed, embed_one};
pub use gate_up::gate_up;
pub use gather::gather;
pub use input::{Input, Normed};
pub use kv::{Heads, KvCache, KvType};
pub use log_probs::log_probs;
pub use made_up::made_up;
pub use matmul::{FEW, MatmulForm, matmul};
pub use matvec::matvec;
pub use output::Output;
pub use qkv::{Attending, fills, qkv};
pub use quantize::{Quantized, quantize};
pub use residual::{Stream, residual};
pub use rms_norm::rms_norm;
pub use rope::{RopeTable, rope};
pub use sample::{sample, sample_each};
pub use sampling::{LOG_PROBS_ROW, SamplingTensors};
pub use silu_mul::silu_mul;
pub use sources::SOURCES_HASH;
pub use step::StepParams;
pub use weigh::weigh;
pub use weight::{Weight, WeightType};
