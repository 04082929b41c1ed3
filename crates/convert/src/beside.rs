//! The small files beside the weights.
//!
//! `config.json` and `generation_config.json` are written anew from what was read, whatever the source: a packed
//! folder's own would name a quantization that is gone, and a GGUF file or Meta's folder has none. Tokenizers, templates
//! and licences are copied.

use format::{Checkpoint, Config, GenerationConfig, RopeScaling, TokenizerConfig, TokenizerFile, shortest};
use serde_json::{Map, Value, json};

use crate::vocabulary::to_gguf;

/// Whether a file that lies beside a model tells how it may be used, by its name.
pub fn is_licence_file(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    let tells = ["LICENSE", "LICENCE", "COPYING", "NOTICE", "USE_POLICY", "USE-POLICY"];
    let is_data = [".SAFETENSORS", ".GGUF", ".PART", ".JSON"].iter().any(|ending| name.ends_with(ending));
    tells.iter().any(|word| name.contains(word)) && !is_data
}

/// Every file but shards and manifest. `licences` are those of the source, `source` what it is called.
pub(crate) fn small_files(
    checkpoint: &Checkpoint,
    licences: &[(String, Vec<u8>)],
    source: &str,
) -> Vec<(String, Vec<u8>)> {
    let mut files = vec![("config.json".to_owned(), config_json(&checkpoint.config))];
    if checkpoint.generation != GenerationConfig::default() {
        files.push(("generation_config.json".to_owned(), generation_json(&checkpoint.generation)));
    }
    let tokenizer = match &checkpoint.tokenizer {
        TokenizerFile::Gguf(tokenizer) => Some(("tokenizer.gguf", to_gguf(tokenizer), None)),
        TokenizerFile::HuggingFace { json, config } => Some(("tokenizer.json", json.clone(), Some(config))),
        TokenizerFile::Tiktoken { model, config } => Some(("tokenizer.model", model.clone(), Some(config))),
        TokenizerFile::Absent => None,
    };
    if let Some((name, bytes, config)) = tokenizer {
        files.push((name.to_owned(), bytes));
        if let Some(config) = config.filter(|config| **config != TokenizerConfig::default()) {
            files.push(("tokenizer_config.json".to_owned(), pretty(&tokenizer_config(config))));
        }
    }
    if let Some(template) = &checkpoint.chat_template {
        files.push(("chat_template.jinja".to_owned(), template.clone().into_bytes()));
    }
    let is_notice = |name: &str| name == "NOTICE";
    files.extend(licences.iter().filter(|(name, _)| !is_notice(name)).cloned());
    let own = licences.iter().find(|(name, _)| is_notice(name)).map(|(_, bytes)| bytes.as_slice());
    files.push(("NOTICE".to_owned(), notice(checkpoint, own.unwrap_or_default(), source)));
    files
}

/// The source's notice, with what is missing: where this folder comes from, and the line that Meta's licences ask for.
fn notice(checkpoint: &Checkpoint, own: &[u8], source: &str) -> Vec<u8> {
    let mut notice = own.to_vec();
    let mut line = |line: String| {
        if !notice.windows(line.len()).any(|window| window == line.as_bytes()) {
            if notice.last().is_some_and(|byte| *byte != b'\n') {
                notice.push(b'\n');
            }
            notice.extend(line.bytes().chain([b'\n']));
        }
    };
    if checkpoint.built_with_llama() {
        line(attribution(checkpoint));
        line("Built with Llama".to_owned());
    }
    line(format!("Converted by pronk from {source}; weights may have been quantized."));
    notice
}

/// The line that each of Meta's licences asks for, in its own words.
fn attribution(checkpoint: &Checkpoint) -> String {
    let named =
        [&checkpoint.licence, &checkpoint.name].into_iter().flatten().map(|name| name.to_ascii_lowercase());
    let named: String = named.collect::<Vec<_>>().join(" ");
    let version = ["3.1", "3.2", "3.3"].into_iter().find(|version| named.contains(version));
    // Llama 3's own has no point in its number; who only says Llama in some other way is taken for what runs here.
    let model = match version {
        Some(version) => format!("Llama {version}"),
        None if ["llama-3", "llama 3", "llama3", "llama_3"].iter().any(|name| named.contains(name)) => {
            "Meta Llama 3".to_owned()
        }
        None => "Llama 3.1".to_owned(),
    };
    format!(
        "{model} is licensed under the {model} Community License, Copyright © Meta Platforms, Inc. All Rights Reserved."
    )
}

/// `config.json`
pub(crate) fn config_json(config: &Config) -> Vec<u8> {
    let mut json = json!({
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_act": "silu",
    });
    if let (Value::Object(json), Value::Object(dimensions)) = (&mut json, config.dimensions()) {
        json.extend(dimensions);
        json.insert("rope_scaling".into(), config.rope_scaling.map(rope_scaling).into());
    }
    pretty(&json)
}

fn rope_scaling(scaling: RopeScaling) -> Value {
    json!({
        "rope_type": "llama3",
        "factor": scaling.factor,
        "low_freq_factor": scaling.low_freq_factor,
        "high_freq_factor": scaling.high_freq_factor,
        "original_max_position_embeddings": scaling.original_max_position_embeddings,
    })
}

/// `generation_config.json`
pub(crate) fn generation_json(generation: &GenerationConfig) -> Vec<u8> {
    pretty(&json!({
        "eos_token_id": generation.eos_token_ids,
        "bos_token_id": generation.bos_token_id,
        "do_sample": generation.do_sample,
        "temperature": generation.temperature.map(shortest),
        "top_k": generation.top_k,
        "top_p": generation.top_p.map(shortest),
        "repetition_penalty": generation.repetition_penalty.map(shortest),
    }))
}

fn tokenizer_config(config: &TokenizerConfig) -> Value {
    json!({
        "bos_token": config.bos_token,
        "eos_token": config.eos_token,
        "unk_token": config.unk_token,
        "pad_token": config.pad_token,
        "add_bos_token": config.add_bos_token,
    })
}

/// With an indent, and without what is not there.
fn pretty(value: &Value) -> Vec<u8> {
    let fields = value.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
    let fields: Map<String, Value> = fields.map(|(key, value)| (key.clone(), value.clone())).collect();
    format!("{:#}\n", Value::Object(fields)).into_bytes()
}
