//! The small files of MLC's, Meta's and our own folders.

use std::sync::LazyLock;

use format::{
    Checkpoint, GgmlType, LaidPart, Manifest, ManifestFile, ManifestFiles, ManifestTensor, MetaFiles,
    MlcCache, MlcFiles, Pth, PthTensor, TensorName, TokenizerFile,
};

use crate::Refusal;
use crate::hub::check_plain;
use crate::model::{CONFIG, config_json};
use crate::packed::mlc;

/// `mlc-chat-config.json`
pub fn mlc_config(bytes: &[u8]) -> Result<(), Refusal> {
    static CACHE: LazyLock<Vec<u8>> = LazyLock::new(|| mlc::cache().0.into_bytes());
    read_mlc(bytes, &CACHE)
}

/// `tensor-cache.json`
///
/// # Panics
/// If a file's name is let through that leads out of the folder.
pub fn mlc_cache(bytes: &[u8]) -> Result<(), Refusal> {
    read_mlc(mlc::config().as_bytes(), bytes)
}

fn read_mlc(config: &[u8], cache: &[u8]) -> Result<(), Refusal> {
    let cache = MlcCache::parse(cache)?;
    cache.files.iter().for_each(|(name, _)| check_plain(name));
    Checkpoint::from_mlc(MlcFiles {
        config: config.to_vec(),
        cache,
        tokenizer: TokenizerFile::Absent,
        tokenizer_config: None,
        name: None,
    })?;
    Ok(())
}

/// `params.json`, beside a file of one layer.
pub fn meta_params(bytes: &[u8]) -> Result<(), Refusal> {
    static FIRST: LazyLock<Pth> = LazyLock::new(one_layer);
    MetaFiles::parts_of(bytes, &FIRST)?;
    let (params, parts) = (bytes.to_vec(), vec![FIRST.clone()]);
    Checkpoint::from_meta(MetaFiles { params, parts, tokenizer: TokenizerFile::Absent, name: None })?;
    Ok(())
}

/// 32 wide, one head, 96 within the MLP, ten tokens, tied.
fn one_layer() -> Pth {
    let shapes: [(&str, &[u64]); 11] = [
        ("tok_embeddings.weight", &[10, 32]),
        ("norm.weight", &[32]),
        ("layers.0.attention_norm.weight", &[32]),
        ("layers.0.ffn_norm.weight", &[32]),
        ("layers.0.attention.wq.weight", &[32, 32]),
        ("layers.0.attention.wk.weight", &[32, 32]),
        ("layers.0.attention.wv.weight", &[32, 32]),
        ("layers.0.attention.wo.weight", &[32, 32]),
        ("layers.0.feed_forward.w1.weight", &[96, 32]),
        ("layers.0.feed_forward.w2.weight", &[32, 96]),
        ("layers.0.feed_forward.w3.weight", &[96, 32]),
    ];
    let mut end = 0;
    let tensors = shapes.map(|(name, shape)| {
        let (len, offset) = (2 * shape.iter().product::<u64>(), end);
        end += len;
        PthTensor { name: name.into(), dtype: GgmlType::BF16, shape: shape.into(), offset, len }
    });
    Pth { tensors: tensors.into(), file_size: end }
}

/// `manifest.json` of ours. Every hash of the file's own bytes is zeros here: a fuzzer can't compute a better one.
///
/// # Panics
/// If a file's name is let through that leads out of the folder.
pub fn manifest(bytes: &[u8]) -> Result<(), Refusal> {
    let manifest = Manifest::parse(bytes, |_| [0; 32])?;
    manifest.files.iter().for_each(|file| check_plain(&file.name));
    Checkpoint::from_manifest(ManifestFiles {
        manifest,
        config: config_json("").into_bytes(),
        generation_config: None,
        tokenizer: TokenizerFile::Absent,
        tokenizer_config: None,
        chat_template: None,
    })?;
    Ok(())
}

/// A `manifest.json` of a whole model, for [`manifest`] to begin with.
pub fn healthy_manifest() -> Vec<u8> {
    let mut end = 0;
    let tensors: Vec<ManifestTensor> = TensorName::of_model(&CONFIG)
        .map(|name| {
            let shape = CONFIG.shape(name);
            let (dtype, bytes) = if shape[0] == 1 { ("F32", 4) } else { ("F16", 2) };
            let parts = vec![LaidPart { file: 1, rows: shape[0], scales: None, words: end }];
            end += bytes * (shape[0] * shape[1]) as u64;
            ManifestTensor { name: name.to_string(), dtype: dtype.into(), shape, parts }
        })
        .collect();
    let file =
        |name: &str, size| ManifestFile { name: name.into(), size, sha256: [0; 32], pieces: vec![[0; 32]] };
    let manifest = Manifest {
        name: None,
        licence: Some("apache-2.0".into()),
        built_with_llama: false,
        source: "a test".into(),
        files: vec![file("config.json", 500), file("model-00001-of-00001.safetensors", end)],
        tensors,
    };
    manifest.to_bytes(|_| [0; 32])
}
