//! The small files of every kind of folder.

use format::{Checkpoint, FormatError, HubIndex, MetaFiles, MlcCache, MlcFiles, TokenizerFile};

use crate::hub_writer::Folder;
use crate::{Random, mutate_text, peak_of};

/// Reads a text, changed in thousands of ways; some are still fine, and most are not.
#[track_caller]
fn check(seed: u64, text: &str, read: impl Fn(Vec<u8>) -> Result<(), FormatError>) {
    let mut random = Random(seed);
    let (mut fine, mut refused) = (0, 0);
    for round in 0..4000 {
        let mutated = mutate_text(text.as_bytes(), &mut random);
        let len = mutated.len();
        let (result, allocated) = peak_of(|| read(mutated));
        // A value takes 32 bytes in the tree, and vectors grow by doubling; the checkpoint's tensors come on top.
        assert!(allocated <= 128 * len + (128 << 10), "round {round}: {allocated} bytes allocated for {len}");
        match result {
            Ok(()) => fine += 1,
            Err(error) => {
                let text = error.to_string();
                assert!(text.len() < 1500 && !text.contains(['\0', '\u{202e}']), "round {round}: {text}");
                refused += 1;
            }
        }
    }
    assert!(fine > 50 && refused > 1000, "{fine}, {refused}");
}

#[test]
fn config() {
    let mut folder = Folder::tiny();
    folder.config["rope_scaling"] = serde_json::json!({
        "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192,
    });
    let (files, _) = folder.files();
    check(3, &folder.config.to_string(), |config| {
        Checkpoint::from_hub(format::HubFiles { config, ..files.clone() }).map(|_| ())
    });
}

#[test]
fn files_beside_it() {
    let (files, _) = Folder::tiny().files();
    let text =
        r#"{"bos_token_id": 1, "eos_token_id": [2, 3], "temperature": 0.6, "top_p": 0.9, "top_k": 50}"#;
    check(4, text, |text| {
        Checkpoint::from_hub(format::HubFiles { generation_config: Some(text), ..files.clone() }).map(|_| ())
    });
    let text =
        r#"{"bos_token": {"content": "\u003cs>"}, "chat_template": [{"name": "default", "template": "x"}]}"#;
    check(5, text, |text| {
        Checkpoint::from_hub(format::HubFiles { tokenizer_config: Some(text), ..files.clone() }).map(|_| ())
    });
    let text =
        r#"{"metadata": {"total_size": 9}, "weight_map": {"a": "m-1.safetensors", "b": "m-2.safetensors"}}"#;
    check(6, text, |text| HubIndex::parse(&text).map(|_| ()));
}

#[test]
fn mlc() {
    let cache = r#"{"records": [{"dataPath": "p.bin", "format": "raw-shard", "nbytes": 80, "records": [
        {"name": "a", "shape": [2, 8], "dtype": "uint32", "format": "f32-to-bf16", "nbytes": 64, "byteOffset": 0},
        {"name": "b", "shape": [8], "dtype": "float16", "format": "raw", "nbytes": 16, "byteOffset": 64}]}]}"#;
    check(7, cache, |text| {
        let cache = MlcCache::parse(&text)?;
        for (name, _) in &cache.files {
            assert!(!name.contains(['/', '\\', '\0']), "{name:?}");
        }
        Ok(())
    });
    let cache = MlcCache::parse(cache.as_bytes()).unwrap();
    let config = r#"{"model_type": "llama", "quantization": "q4f16_1", "eos_token_id": [1], "model_config": {
        "hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2,
        "rms_norm_eps": 1e-5, "vocab_size": 9}}"#;
    let mut random = Random(8);
    for _ in 0..4000 {
        let files = MlcFiles {
            config: mutate_text(config.as_bytes(), &mut random),
            cache: cache.clone(),
            tokenizer: TokenizerFile::Absent,
            tokenizer_config: None,
            name: None,
        };
        // The one folder has no such tensors: what matters is that it is said.
        assert!(Checkpoint::from_mlc(files).is_err());
    }
}

#[test]
fn params() {
    let text = r#"{"dim": 128, "n_layers": 1, "n_heads": 4, "n_kv_heads": 2, "vocab_size": 10, "multiple_of": 64,
        "ffn_dim_multiplier": 1.3, "norm_eps": 1e-5, "use_scaled_rope": true}"#;
    let tensor = format::PthTensor {
        name: "layers.0.feed_forward.w1.weight".into(),
        dtype: format::GgmlType::F32,
        shape: vec![448, 128],
        offset: 0,
        len: 448 * 128 * 4,
    };
    let first = format::Pth { tensors: vec![tensor], file_size: 1 << 20 };
    check(9, text, |text| MetaFiles::parts_of(&text, &first).map(|_| ()));
}
