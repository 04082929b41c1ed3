//! The Llama model on the GPU: weights, KV cache, and the plan of a forward pass.
//!
//! ```text
//! header -> Vacancy -> Forward                          -> Model: prefill(ids), decode(), decode(), ... -> ids, 4 bytes each
//!              ^ file's bytes -> Loader, meanwhile
//! ```
//!
//! The loop around it is `engine`'s; this crate runs one step at a time and waits for nothing.

mod column_order;
mod error;
mod loader;
mod matrix;
mod model;
mod plans;
mod prepared;
mod sampler;
mod sweep;
#[cfg(test)]
#[path = "../../format/tests/tiny_llama/mod.rs"]
mod tiny_llama;
mod trial;
mod vacancy;
mod weights;
#[cfg(test)]
#[path = "../../format/tests/tiny_llama/weights.rs"]
mod weights_of;

pub use error::LlamaError;
pub use kernels::{KvType, NOT_A_NUMBER, SOURCES_HASH};
pub use loader::Loader;
pub use model::{Model, Options, kv_bytes_per_token};
pub use sampler::Chosen;
pub use sweep::Sweep;
pub use trial::{Attempt, Trial};
pub use vacancy::{Forward, Vacancy};
pub use weights::Outline;
pub(crate) use weights::Weights;
