//! Seeded mutations of healthy files, thousands for each parser: whatever comes out, nothing panics and memory stays
//! bounded by the bytes that are there.
#![expect(clippy::unwrap_used, reason = "this is a test")]

mod counting;
mod damage;
mod gguf;
#[expect(dead_code, reason = "this test damages bytes, not fields")]
#[path = "../files/writer.rs"]
mod gguf_writer;
#[expect(dead_code, reason = "as above")]
#[path = "../hub/writer.rs"]
mod hub_writer;
mod json;
mod packed;
#[expect(dead_code, reason = "as above")]
#[path = "../hub/packers.rs"]
mod packers;
mod pth;
#[expect(dead_code, reason = "as above")]
#[path = "../pth/writer.rs"]
mod pth_writer;
mod safetensors;

/// What the packers' file knows this one's module by.
mod writer {
    pub(crate) use crate::hub_writer::Tensor;
}

use counting::peak_of;
use damage::{Random, mutate_numbers, mutate_text};
