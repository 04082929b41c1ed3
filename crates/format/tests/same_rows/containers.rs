//! One model's rows as Meta's `.pth` and as GGUF, for tests of what comes out of them.
//!
//! Matrices are written in bfloat16: the model is one whose weights lose nothing by it.

use format::{Config, GgmlType, Gguf, TensorName};
use half::bf16;
use serde_json::{Value, json};

use crate::gguf_writer::{File, array, f32, string, strings, u32};
use crate::pth_writer::{Archive, Tensor, entry, pickle};
use crate::weights::Weights;

/// `params.json` of golden/tiny-llama-3.1.
pub(crate) fn params() -> Value {
    json!({
        "dim": 128, "n_layers": 3, "n_heads": 4, "n_kv_heads": 2, "vocab_size": -1, "multiple_of": 448,
        "norm_eps": 1e-5, "rope_theta": 500000.0, "use_scaled_rope": true,
    })
}

/// What Meta calls a tensor.
fn meta_name(name: TensorName) -> String {
    let name = name.to_string();
    let pairs = [
        ("model.embed_tokens", "tok_embeddings"),
        ("lm_head", "output"),
        ("model.layers", "layers"),
        ("self_attn.q_proj", "attention.wq"),
        ("self_attn.k_proj", "attention.wk"),
        ("self_attn.v_proj", "attention.wv"),
        ("self_attn.o_proj", "attention.wo"),
        ("mlp.gate_proj", "feed_forward.w1"),
        ("mlp.down_proj", "feed_forward.w2"),
        ("mlp.up_proj", "feed_forward.w3"),
        ("post_attention_layernorm", "ffn_norm"),
        ("input_layernorm", "attention_norm"),
        ("model.norm", "norm"),
    ];
    pairs.iter().fold(name, |name, (from, to)| name.replace(from, to))
}

/// What llama.cpp calls a tensor.
fn gguf_name(name: TensorName) -> String {
    let pairs = [
        ("tok_embeddings", "token_embd"),
        ("layers.", "blk."),
        ("attention.w", "attn_"),
        ("attn_o.", "attn_output."),
        ("feed_forward.w1", "ffn_gate"),
        ("feed_forward.w2", "ffn_down"),
        ("feed_forward.w3", "ffn_up"),
        ("attention_norm", "attn_norm"),
    ];
    let name = pairs.iter().fold(meta_name(name), |name, (from, to)| name.replace(from, to));
    if name == "norm.weight" { "output_norm.weight".into() } else { name }
}

/// The share of one part of Meta's: some columns of wo and w2, some rows of the other matrices, all of a vector.
pub(crate) fn pth_file(config: &Config, weights: &Weights, part: usize, parts: usize) -> Vec<u8> {
    let (mut tensors, mut entries) = (Vec::new(), Vec::new());
    for (key, (name, values)) in weights.iter().enumerate() {
        let [rows, columns] = config.shape(*name);
        let stored_name = meta_name(*name);
        let by_columns = stored_name.contains(".wo.") || stored_name.contains(".w2.");
        let is_mine = |row: usize, column: usize| match (rows, by_columns) {
            (1, _) => true,
            (_, true) => column / (columns / parts) == part,
            (_, false) => row / (rows / parts) == part,
        };
        let mine = values.iter().enumerate().filter(|(i, _)| is_mine(i / columns, i % columns));
        let bytes: Vec<u8> = mine.flat_map(|(_, value)| bf16::from_f32(*value).to_le_bytes()).collect();
        let shape = match (rows, by_columns) {
            (1, _) => vec![columns],
            (_, true) => vec![rows, columns / parts],
            (_, false) => vec![rows / parts, columns],
        };
        tensors.push(Tensor::new(&stored_name, "BFloat16Storage", key, &shape));
        entries.push(entry(&format!("consolidated/data/{key}"), bytes));
    }
    entries.insert(0, entry("consolidated/data.pkl", pickle(&tensors)));
    Archive { entries, ..Default::default() }.bytes()
}

/// A GGUF file; vectors are in `F32`. RoPE is scaled if the weights have the factors.
pub(crate) fn gguf_file(config: &Config, weights: &Weights) -> Vec<u8> {
    const F32: u32 = 0;
    const BF16: u32 = 30;
    let mut writer = described(config);
    for name in weights.keys() {
        let [rows, columns] = config.shape(*name);
        let (dtype, bytes, ne) = match rows {
            1 => (F32, 4, vec![columns as u64]),
            _ => (BF16, 2, vec![columns as u64, rows as u64]),
        };
        writer.push(&gguf_name(*name), &ne, dtype, rows * columns * bytes);
    }
    let mut file = writer.bytes();
    let header = Gguf::parse(&file, file.len() as u64).unwrap();
    for (name, values) in weights {
        let tensor = header.tensors.iter().find(|tensor| tensor.name == gguf_name(*name)).unwrap();
        let bytes: Vec<u8> = match tensor.dtype {
            GgmlType::F32 => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
            _ => values.iter().flat_map(|value| bf16::from_f32(*value).to_le_bytes()).collect(),
        };
        file[tensor.offset as usize..][..bytes.len()].copy_from_slice(&bytes);
    }
    file
}

/// A file with the metadata of a model and no tensors.
fn described(config: &Config) -> File {
    let mut writer = File { metadata: Vec::new(), tensors: Vec::new(), ..File::tiny() };
    for (key, value) in [
        ("context_length", config.max_position_embeddings),
        ("embedding_length", config.hidden_size),
        ("feed_forward_length", config.intermediate_size),
        ("block_count", config.num_hidden_layers),
        ("attention.head_count", config.num_attention_heads),
        ("attention.head_count_kv", config.num_key_value_heads),
    ] {
        writer.set(&format!("llama.{key}"), u32(value as u32));
    }
    writer.set("general.architecture", string("llama"));
    writer.set("llama.attention.layer_norm_rms_epsilon", f32(config.rms_norm_eps));
    writer.set("llama.rope.freq_base", f32(config.rope_theta as f32));
    writer.set("tokenizer.ggml.model", string("gpt2"));
    let tokens: Vec<String> = (0..config.vocab_size).map(|id| format!("t{id}")).collect();
    writer.set("tokenizer.ggml.tokens", strings(&tokens.iter().map(String::as_str).collect::<Vec<_>>()));
    writer.set("tokenizer.ggml.merges", array(8, 0, &[]));
    writer
}
