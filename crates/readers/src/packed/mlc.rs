//! The smallest Llama as MLC packs it: rows of several matrices are one.

use format::{Checkpoint, FormatError, LayerPart, MlcCache, MlcFiles, TensorName, TokenizerFile};

use crate::model::CONFIG;

/// `mlc-chat-config.json`
pub(crate) fn config() -> String {
    let (hidden_size, intermediate_size) = (CONFIG.hidden_size, CONFIG.intermediate_size);
    format!(
        "{{\"model_type\": \"llama\", \"quantization\": \"q4f16_1\", \"model_config\": {{\
         \"hidden_size\": {hidden_size}, \"intermediate_size\": {intermediate_size}, \"num_hidden_layers\": 1, \
         \"num_attention_heads\": 2, \"num_key_value_heads\": 1, \"vocab_size\": {}, \"rms_norm_eps\": 1e-5, \
         \"tie_word_embeddings\": true}}}}",
        CONFIG.vocab_size
    )
}

/// `tensor-cache.json`, and how many bytes the one file has.
pub(crate) fn cache() -> (String, usize) {
    let mut end = 0;
    let mut records = Vec::new();
    for name in TensorName::of_model(&CONFIG) {
        let [rows, columns] = CONFIG.shape(name);
        let Some((name, rows)) = fused(name, rows) else { continue };
        if rows == 1 {
            records.push(record(&name, "float16", &format!("{columns}"), 2 * columns, &mut end));
            continue;
        }
        let stem = name.trim_end_matches("weight");
        let words = format!("{rows}, {}", columns / 8);
        records.push(record(&format!("{stem}q_weight"), "uint32", &words, rows * columns / 2, &mut end));
        let scales = format!("{rows}, {}", columns / 32);
        records.push(record(&format!("{stem}q_scale"), "float16", &scales, rows * columns / 16, &mut end));
    }
    let shard = format!(
        "{{\"dataPath\": \"params_shard_0.bin\", \"format\": \"raw-shard\", \"nbytes\": {end}, \"records\": [{}]}}",
        records.join(", ")
    );
    (format!("{{\"records\": [{shard}]}}"), end)
}

/// What a matrix is part of, under that one's name, if it is its first part; and the rows of all.
fn fused(name: TensorName, rows: usize) -> Option<(String, usize)> {
    let TensorName::Layer { part, .. } = name else { return Some((name.to_string(), rows)) };
    let full = name.to_string();
    match part {
        LayerPart::QProj => {
            let kv_rows = CONFIG.num_key_value_heads * CONFIG.head_dim;
            Some((full.replace("q_proj", "qkv_proj"), rows + 2 * kv_rows))
        }
        LayerPart::GateProj => Some((full.replace("gate_proj", "gate_up_proj"), 2 * rows)),
        LayerPart::KProj | LayerPart::VProj | LayerPart::UpProj => None,
        _ => Some((full, rows)),
    }
}

fn record(name: &str, dtype: &str, shape: &str, len: usize, end: &mut usize) -> String {
    let offset = *end;
    *end += len;
    format!(
        "{{\"name\": \"{name}\", \"shape\": [{shape}], \"dtype\": \"{dtype}\", \"format\": \"raw\", \
         \"nbytes\": {len}, \"byteOffset\": {offset}}}"
    )
}

/// The model, and its file of zeros.
pub(super) fn checkpoint() -> (Result<Checkpoint, FormatError>, Vec<u8>) {
    let (cache, len) = cache();
    let checkpoint = MlcCache::parse(cache.as_bytes()).and_then(|cache| {
        Checkpoint::from_mlc(MlcFiles {
            config: config().into_bytes(),
            cache,
            tokenizer: TokenizerFile::Absent,
            tokenizer_config: None,
            name: None,
        })
    });
    (checkpoint, vec![0; len])
}
