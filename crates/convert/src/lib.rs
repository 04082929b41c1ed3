//! Checkpoints in, a model folder of ours out: see `docs/model-folder.md`.
//!
//! ```text
//! Checkpoint -> Plan: which rows of which tensor go to which shard, known before a weight is read
//! bytes -> format::RowReader -> rows -> (quantize) -> lay out, on every core -> a shard at a time
//!       -> write NAME.part -> read it back -> rename -> journal                     on a thread of its own
//! shards, small files -> manifest.json, last
//! ```
//!
//! Where bytes come from and go to is behind [`Source`] and [`Output`]. A run that was interrupted, wherever, is started
//! again and keeps the shards that are whole; until the manifest is there, nothing takes the folder for a model.
//! In memory are the rows that are being laid out and some three shards.

#![forbid(unsafe_code)]

mod beside;
mod error;
mod fill;
mod journal;
mod lay_out;
mod output;
mod plan;
mod report;
mod run;
mod shard;
mod source;
mod synthetic;
mod verify;
mod vocabulary;

pub use beside::is_licence_file;
pub use error::ConvertError;
pub use output::{MemoryOutput, Output};
pub use report::{Report, TensorReport};
pub use run::{Options, Progress, convert};
pub use source::{MemorySource, Source};
pub use synthetic::{RandomWeights, Synthetic};
pub use verify::{Damage, verify};

/// SHA-256, which whoever calls has at hand.
pub type HashFn = fn(&[u8]) -> format::Hash;

/// Hexadecimal, as manifests and journals have it.
fn hex(hash: &format::Hash) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}
