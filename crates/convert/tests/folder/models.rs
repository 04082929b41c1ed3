//! The models that are converted: a folder of Hugging Face's and two GGUF files, from the goldens.

use convert::MemorySource;
use format::{Checkpoint, Gguf, HubFiles, HubIndex, SafetensorsHeader, TokenizerFile};

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
    let file = |name: &str| golden(&format!("tiny-llama-3.1/{name}"));
    let index = HubIndex::parse(&file("model.safetensors.index.json")).unwrap();
    let files: Vec<Vec<u8>> = index.files.iter().map(|name| file(name)).collect();
    let weights = files.iter().map(|bytes| SafetensorsHeader::parse(bytes, bytes.len() as u64).unwrap());
    let checkpoint = Checkpoint::from_hub(HubFiles {
        config: file("config.json"),
        generation_config: None,
        tokenizer: TokenizerFile::Absent,
        tokenizer_config: None,
        chat_template: None,
        index: Some(index),
        weights: weights.collect(),
        name: Some("tiny-llama-3.1".into()),
    });
    Model { checkpoint: checkpoint.unwrap(), source: MemorySource(files) }
}

/// Blocks of many types, with a vocabulary, a template and `rope_freqs`.
pub(crate) fn gguf(name: &str) -> Model {
    let bytes = golden(&format!("gguf/{name}.gguf"));
    let checkpoint = Checkpoint::from_gguf(Gguf::parse(&bytes, bytes.len() as u64).unwrap()).unwrap();
    Model { checkpoint, source: MemorySource(vec![bytes]) }
}
