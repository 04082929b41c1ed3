//! One model in every plain container gives the same rows: golden/tiny-llama-3.1 as it is, as one file of safetensors in
//! three types, as Meta's `.pth` in one part and in two, and as GGUF.
#![expect(clippy::unwrap_used, reason = "this is a test")]

#[expect(dead_code, reason = "this test needs a sound file only")]
#[path = "../files/writer.rs"]
mod gguf_writer;
#[expect(dead_code, reason = "this test needs sound files only")]
#[path = "../pth/writer.rs"]
mod pth_writer;

use std::collections::BTreeMap;

use format::{
    Checkpoint, FormatError, Gguf, HubFiles, HubIndex, MetaFiles, Pth, PthReader, RowReader,
    SafetensorsHeader, TensorName, TokenizerFile, dequantize,
};
use half::{bf16, f16};
use serde_json::{Value, json};

/// Every tensor's weights, rows in the one order.
type Weights = BTreeMap<TensorName, Vec<f32>>;

fn golden(name: &str) -> Vec<u8> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/tiny-llama-3.1");
    std::fs::read(format!("{folder}/{name}")).unwrap()
}

fn read(checkpoint: &Checkpoint, files: &[Vec<u8>]) -> Weights {
    let mut weights = Weights::new();
    let mut reader = RowReader::new(checkpoint);
    while let Some(span) = reader.wants() {
        let bytes = &files[span.file][span.offset as usize..][..span.len as usize];
        reader
            .push::<FormatError>(span.file, span.offset, bytes, &mut |rows| {
                dequantize(rows.tensor.dtype, rows.bytes, weights.entry(rows.tensor.name).or_default())
            })
            .unwrap();
    }
    reader.finish().unwrap();
    weights
}

fn hub(index: Option<HubIndex>, files: &[Vec<u8>]) -> Checkpoint {
    let header = |bytes: &Vec<u8>| SafetensorsHeader::parse(bytes, bytes.len() as u64).unwrap();
    Checkpoint::from_hub(HubFiles {
        config: golden("config.json"),
        generation_config: None,
        tokenizer: TokenizerFile::Absent,
        tokenizer_config: None,
        chat_template: None,
        index,
        weights: files.iter().map(header).collect(),
        name: None,
    })
    .unwrap()
}

/// The golden itself: the checkpoint, its files and its rows.
fn original() -> (Checkpoint, Vec<Vec<u8>>, Weights) {
    let index = HubIndex::parse(&golden("model.safetensors.index.json")).unwrap();
    let files: Vec<Vec<u8>> = index.files.iter().map(|name| golden(name)).collect();
    let checkpoint = hub(Some(index), &files);
    let weights = read(&checkpoint, &files);
    (checkpoint, files, weights)
}

#[track_caller]
fn check(what: &str, checkpoint: &Checkpoint, files: &[Vec<u8>], expected: &Weights) {
    let got = read(checkpoint, files);
    for (name, expected) in expected {
        assert_eq!(got[name].len(), expected.len(), "{what}: {name}");
        let differs = got[name].iter().zip(expected).position(|(got, expected)| got != expected);
        assert_eq!(differs, None, "{what}: {name}");
    }
    let more: Vec<&TensorName> = got.keys().filter(|name| !expected.contains_key(name)).collect();
    assert!(more.iter().all(|name| **name == TensorName::RopeFreqs), "{what}: {more:?}");
}

/// Two shards of bfloat16 as one, in three types.
#[test]
fn one_safetensors_file() {
    let (original, files, expected) = original();
    type Write = fn(f32) -> Vec<u8>;
    let types: [(&str, Write); 3] = [
        ("BF16", |value| bf16::from_f32(value).to_le_bytes().into()),
        ("F32", |value| value.to_le_bytes().into()),
        // Compared as halves: very small weights lose bits.
        ("F16", |value| f16::from_f32(value).to_le_bytes().into()),
    ];
    for (dtype, write) in types {
        let (mut header, mut data) = (serde_json::Map::new(), Vec::new());
        for bytes in &files {
            for tensor in SafetensorsHeader::parse(bytes, bytes.len() as u64).unwrap().tensors {
                let begin = data.len();
                let stored = &bytes[tensor.offset as usize..][..tensor.len as usize];
                for le in stored.as_chunks().0 {
                    data.extend(write(bf16::from_le_bytes(*le).to_f32()));
                }
                let entry =
                    json!({"dtype": dtype, "shape": tensor.shape, "data_offsets": [begin, data.len()]});
                header.insert(tensor.name, entry);
            }
        }
        let header = Value::from(header).to_string().into_bytes();
        let file = [(header.len() as u64).to_le_bytes().as_slice(), &header, &data].concat();
        let expected: Weights = match dtype {
            "F16" => expected
                .iter()
                .map(|(name, values)| (*name, values.iter().map(|v| f16::from_f32(*v).to_f32()).collect()))
                .collect(),
            _ => expected.clone(),
        };
        let files = [file];
        let checkpoint = hub(None, &files);
        assert_eq!(checkpoint.config, original.config);
        check(dtype, &checkpoint, &files, &expected);
    }
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

/// The share of one part of Meta's, in bfloat16.
fn pth_file(checkpoint: &Checkpoint, weights: &Weights, part: usize, parts: usize) -> Vec<u8> {
    let (mut tensors, mut entries) = (Vec::new(), Vec::new());
    for (key, (name, values)) in weights.iter().enumerate() {
        let [rows, columns] = checkpoint.config.shape(*name);
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
        tensors.push(pth_writer::Tensor::new(&stored_name, "BFloat16Storage", key, &shape));
        entries.push(pth_writer::entry(&format!("consolidated/data/{key}"), bytes));
    }
    entries.insert(0, pth_writer::entry("consolidated/data.pkl", pth_writer::pickle(&tensors)));
    pth_writer::Archive { entries, ..Default::default() }.bytes()
}

fn pth(file: &[u8]) -> Pth {
    let mut reader = PthReader::new(file.len() as u64);
    while let Some(range) = reader.wants() {
        reader.put(&file[range.start as usize..range.end as usize]).unwrap();
    }
    reader.finish().unwrap()
}

#[test]
fn meta_in_one_part_and_in_two() {
    let (original, _, expected) = original();
    let params = json!({
        "dim": 128, "n_layers": 3, "n_heads": 4, "n_kv_heads": 2, "vocab_size": -1, "multiple_of": 448,
        "norm_eps": 1e-5, "rope_theta": 500000.0, "use_scaled_rope": true,
    });
    for parts in [1, 2] {
        let files: Vec<Vec<u8>> =
            (0..parts).map(|part| pth_file(&original, &expected, part, parts)).collect();
        let checkpoint = Checkpoint::from_meta(MetaFiles {
            params: params.to_string().into_bytes(),
            parts: files.iter().map(|file| pth(file)).collect(),
            tokenizer: TokenizerFile::Absent,
            name: None,
        })
        .unwrap();
        assert_eq!(checkpoint.config, original.config);
        check(&format!("{parts} parts"), &checkpoint, &files, &expected);
    }
}

#[test]
fn gguf() {
    use gguf_writer::{File, array, f32, string, strings, u32};
    const BF16: u32 = 30;
    const F32: u32 = 0;
    let (original, _, expected) = original();
    let mut writer = File { metadata: Vec::new(), tensors: Vec::new(), ..File::tiny() };
    for (key, value) in [
        ("context_length", 131_072),
        ("embedding_length", 128),
        ("feed_forward_length", 448),
        ("block_count", 3),
        ("attention.head_count", 4),
        ("attention.head_count_kv", 2),
    ] {
        writer.set(&format!("llama.{key}"), u32(value));
    }
    writer.set("general.architecture", string("llama"));
    writer.set("llama.attention.layer_norm_rms_epsilon", f32(1e-5));
    writer.set("llama.rope.freq_base", f32(500_000.0));
    writer.set("tokenizer.ggml.model", string("gpt2"));
    let tokens: Vec<String> = (0..1000).map(|id| format!("t{id}")).collect();
    writer.set("tokenizer.ggml.tokens", strings(&tokens.iter().map(String::as_str).collect::<Vec<_>>()));
    writer.set("tokenizer.ggml.merges", array(8, 0, &[]));
    let gguf_name = |name: TensorName| {
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
    };
    for name in expected.keys() {
        let [rows, columns] = original.config.shape(*name);
        let (dtype, bytes, ne) = match rows {
            1 => (F32, 4, vec![columns as u64]),
            _ => (BF16, 2, vec![columns as u64, rows as u64]),
        };
        writer.push(&gguf_name(*name), &ne, dtype, rows * columns * bytes);
    }
    let mut file = writer.bytes();
    let header = Gguf::parse(&file, file.len() as u64).unwrap();
    for (name, values) in &expected {
        let tensor = header.tensors.iter().find(|tensor| tensor.name == gguf_name(*name)).unwrap();
        let bytes: Vec<u8> = match tensor.dtype {
            format::GgmlType::F32 => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
            _ => values.iter().flat_map(|value| bf16::from_f32(*value).to_le_bytes()).collect(),
        };
        file[tensor.offset as usize..][..bytes.len()].copy_from_slice(&bytes);
    }
    let files = [file];
    let checkpoint = Checkpoint::from_gguf(header).unwrap();
    // GGUF has the scaling as a tensor, which this file lacks.
    assert_eq!(
        format::Config { rope_scaling: original.config.rope_scaling, ..checkpoint.config },
        original.config
    );
    check("GGUF", &checkpoint, &files, &expected);
}
