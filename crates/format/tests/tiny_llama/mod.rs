//! golden/tiny-llama-3.1, a Hub folder of bfloat16 in two files, for the tests of several crates.

use format::{Checkpoint, HubFiles, HubIndex, SafetensorsHeader, TokenizerFile};

/// A file of the folder.
pub(crate) fn read(name: &str) -> Vec<u8> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/tiny-llama-3.1");
    std::fs::read(format!("{folder}/{name}")).unwrap()
}

/// What the folder means, and the files of its weights.
pub(crate) fn open() -> (Checkpoint, Vec<Vec<u8>>) {
    let index = HubIndex::parse(&read("model.safetensors.index.json")).unwrap();
    let files: Vec<Vec<u8>> = index.files.iter().map(|name| read(name)).collect();
    (with_weights(Some(index), &files), files)
}

/// What the folder would mean with these weights.
pub(crate) fn with_weights(index: Option<HubIndex>, files: &[Vec<u8>]) -> Checkpoint {
    let header = |bytes: &Vec<u8>| SafetensorsHeader::parse(bytes, bytes.len() as u64).unwrap();
    Checkpoint::from_hub(HubFiles {
        config: read("config.json"),
        generation_config: None,
        tokenizer: TokenizerFile::Absent,
        tokenizer_config: None,
        chat_template: None,
        index,
        weights: files.iter().map(header).collect(),
        name: Some("tiny-llama-3.1".into()),
    })
    .unwrap()
}
