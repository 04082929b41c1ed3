//! The whole Llama model on the CPU, in `f32`, one token at a time: the reference that the GPU is held to.
//!
//! Written to be read beside the paper, and to be right before it is fast: [`Model::forward`] is the model in a
//! straight line, `operations` its handful of formulas, [`WeightsBuilder`] how a file's bytes become `f32`.
//! It has no quantized arithmetic, no batches and no approximations, so whatever differs from it has to say why.

#![forbid(unsafe_code)]

mod error;
mod model;
mod operations;
mod rope;
pub mod sampler;
pub mod simd;
mod weights;

pub use error::CpuError;
pub use model::Model;
pub use weights::{LayerWeights, Weights, WeightsBuilder};
