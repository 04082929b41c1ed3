//! The models that are converted: a folder of Hugging Face's and two GGUF files, from the goldens.

use convert::MemorySource;
use format::{Checkpoint, Gguf};

use crate::tiny_llama;

/// A checkpoint and its bytes.
pub(crate) struct Model {
    pub(crate) checkpoint: Checkpoint,
    pub(crate) source: MemorySource,
}

fn golden(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/../../tests/golden/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// bfloat16 in two files.
pub(crate) fn tiny_hub() -> Model {
    let (checkpoint, files) = tiny_llama::open();
    Model { checkpoint, source: MemorySource(files) }
}

/// Blocks of many types, with a vocabulary, a template and `rope_freqs`.
pub(crate) fn gguf(name: &str) -> Model {
    let bytes = golden(&format!("gguf/{name}.gguf"));
    let checkpoint = Checkpoint::from_gguf(Gguf::parse(&bytes, bytes.len() as u64).unwrap()).unwrap();
    Model { checkpoint, source: MemorySource(vec![bytes]) }
}
