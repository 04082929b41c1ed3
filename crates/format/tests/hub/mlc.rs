//! MLC folders: q4f16_1, with fused tensors in shards.

use std::collections::HashMap;

use format::{
    Checkpoint, GenerationConfig, GgmlType, LayerPart, MlcCache, MlcFiles, RopeScaling, TensorName,
    TokenizerConfig, TokenizerFile,
};
use half::f16;
use serde_json::{Value, json};

use crate::golden::{bytes, floats, golden};
use crate::mlc_writer::{Record, joined, list, packed};
use crate::packed::{assert_equal, in_order, layers};
use crate::packers::Quantized;
use crate::writer::{FFN, HIDDEN};
use crate::{read, weights};

/// So many that the embeddings' 96 bytes a row come in two chunks of 4 MiB.
const VOCAB: usize = 50_001;

struct Folder {
    config: Value,
    records: Vec<Record>,
    /// Changes the list before it is written.
    edit: fn(&mut Value),
}

impl Folder {
    fn tiny() -> (Folder, HashMap<TensorName, Vec<f32>>) {
        let config = json!({
            "model_type": "llama", "quantization": "q4f16_1", "temperature": 0.6, "top_p": 0.9,
            "bos_token_id": 0, "eos_token_id": [1, 2], "conv_template": {"stop_token_ids": [2, 3]},
            "model_config": {
                "hidden_size": HIDDEN, "intermediate_size": FFN, "num_hidden_layers": 1, "num_attention_heads": 6,
                "num_key_value_heads": 3, "head_dim": 32, "vocab_size": VOCAB, "rms_norm_eps": 1e-5,
                "position_embedding_base": 500_000, "context_window_size": 8192, "tensor_parallel_shards": 1,
                "tie_word_embeddings": true, "rope_scaling": {
                    "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                    "original_max_position_embeddings": 8192,
                },
            },
        });
        let mut folder = Folder { config, records: Vec::new(), edit: |_| () };
        let mut expected = HashMap::new();
        let embed = quantized(VOCAB, HIDDEN, 99);
        expected.insert(TensorName::EmbedTokens, values(&embed));
        folder.push(0, "model.embed_tokens", &embed);
        let mut fused: HashMap<&str, Vec<Quantized>> = HashMap::new();
        for (seed, (part, rows, columns)) in layers().into_iter().enumerate() {
            let matrix = quantized(rows, columns, seed as u64);
            expected.insert(TensorName::Layer { index: 0, part }, in_order(part, values(&matrix), columns));
            let name = match part {
                LayerPart::QProj | LayerPart::KProj | LayerPart::VProj => "self_attn.qkv_proj",
                LayerPart::GateProj | LayerPart::UpProj => "mlp.gate_up_proj",
                LayerPart::OProj => "self_attn.o_proj",
                _ => "mlp.down_proj",
            };
            fused.entry(name).or_default().push(matrix);
        }
        let mut names: Vec<&str> = fused.keys().copied().collect();
        names.sort_unstable();
        for name in names {
            folder.push(1, &format!("model.layers.0.{name}"), &joined(&fused[name]));
        }
        for name in
            ["model.layers.0.input_layernorm", "model.layers.0.post_attention_layernorm", "model.norm"]
        {
            let halves = (0..HIDDEN).flat_map(|i| f16::from_f32(i as f32).to_le_bytes());
            folder.records.push((1, format!("{name}.weight"), "float16", vec![HIDDEN], halves.collect()));
        }
        (folder, expected)
    }

    fn push(&mut self, shard: usize, stem: &str, matrix: &Quantized) {
        self.records.extend(packed(shard, stem, matrix));
    }

    fn record(&mut self, name: &str) -> &mut Record {
        self.records.iter_mut().find(|record| record.1 == name).unwrap()
    }

    /// The list, and the shards.
    fn write(&self) -> (Vec<u8>, Vec<Vec<u8>>) {
        let (mut cache, shards) = list(&self.records);
        (self.edit)(&mut cache);
        (cache.to_string().into_bytes(), shards)
    }

    fn read(&self) -> Result<(Checkpoint, Vec<Vec<u8>>), String> {
        let (cache, shards) = self.write();
        let files = MlcFiles {
            config: self.config.to_string().into_bytes(),
            cache: MlcCache::parse(&cache).map_err(|error| error.to_string())?,
            tokenizer: TokenizerFile::HuggingFace { json: b"{}".into(), config: TokenizerConfig::default() },
            tokenizer_config: Some(br#"{"chat_template": "hello"}"#.into()),
            name: Some("Llama-3.1-8B-Instruct-q4f16_1-MLC".into()),
        };
        Checkpoint::from_mlc(files).map(|checkpoint| (checkpoint, shards)).map_err(|error| error.to_string())
    }
}

/// Nibbles from 0 to 14, and a zero of 7 in all groups.
fn quantized(rows: usize, columns: usize, seed: u64) -> Quantized {
    let mut matrix = Quantized::random(rows, columns, 32, seed);
    matrix.q.iter_mut().for_each(|q| *q = (*q).min(14));
    matrix.zeros.fill(7);
    matrix
}

fn values(matrix: &Quantized) -> Vec<f32> {
    matrix.values()
}

#[test]
fn fused_tensors_come_apart() {
    let (folder, expected) = Folder::tiny();
    let (checkpoint, shards) = folder.read().unwrap();
    assert!(!checkpoint.in_one_pass());
    assert_eq!(checkpoint.config.rope_theta, 500_000.0);
    assert_eq!(checkpoint.config.rope_scaling, Some(RopeScaling::LLAMA_3_1));
    assert_eq!(
        (checkpoint.config.max_position_embeddings, checkpoint.config.tie_word_embeddings),
        (8192, true)
    );
    assert_eq!(checkpoint.chat_template.as_deref(), Some("hello"));
    assert!(checkpoint.built_with_llama());
    let generation = GenerationConfig {
        eos_token_ids: vec![1, 2, 3],
        bos_token_id: Some(0),
        temperature: Some(0.6),
        top_p: Some(0.9),
        ..GenerationConfig::default()
    };
    assert_eq!(checkpoint.generation, generation);
    assert_eq!(checkpoint.file_sizes, [shards[0].len() as u64, shards[1].len() as u64]);
    for piece_len in [10_007, 1 << 24] {
        let got = weights(&checkpoint, &shards, piece_len);
        for (name, expected) in &expected {
            assert_eq!(checkpoint.tensor(*name).unwrap().dtype, GgmlType::Q4_0);
            assert_equal(&name.to_string(), &got[name], expected);
        }
        assert_eq!(got[&TensorName::Norm], (0..HIDDEN).map(|i| i as f32).collect::<Vec<_>>());
    }
}

/// The golden's matrix of 16 by 64 as the embeddings of a model.
#[test]
fn golden_vector() {
    let golden = &golden("awq_gptq_ct_mlc_vectors.json")["mlc_q4f16_1"];
    let (mut folder, _) = Folder::tiny();
    let model = &mut folder.config["model_config"];
    for (key, value) in [
        ("hidden_size", 64),
        ("intermediate_size", 32),
        ("num_attention_heads", 2),
        ("num_key_value_heads", 1),
        ("vocab_size", 16),
    ] {
        model[key] = json!(value);
    }
    folder.records.clear();
    let (weight, scale) =
        (&golden["q_weight_u32_le_hex [out][in/8]"], &golden["q_scale_f16_le_hex [out][in/32]"]);
    folder.records.push((0, "model.embed_tokens.q_weight".into(), "uint32", vec![16, 8], bytes(weight)));
    folder.records.push((0, "model.embed_tokens.q_scale".into(), "float16", vec![16, 2], bytes(scale)));
    for (name, rows, columns) in [
        ("self_attn.qkv_proj", 128, 64),
        ("self_attn.o_proj", 64, 64),
        ("mlp.gate_up_proj", 64, 64),
        ("mlp.down_proj", 64, 32),
    ] {
        folder.push(1, &format!("model.layers.0.{name}"), &quantized(rows, columns, 5));
    }
    for name in ["model.layers.0.input_layernorm", "model.layers.0.post_attention_layernorm", "model.norm"] {
        folder.records.push((1, format!("{name}.weight"), "float16", vec![64], vec![0; 128]));
    }
    let (checkpoint, shards) = folder.read().unwrap();
    let got = weights(&checkpoint, &shards, 100);
    assert_equal(
        "embed_tokens",
        &got[&TensorName::EmbedTokens],
        &floats(&golden["dequant_f32_le_hex [out][in]"]),
    );
}

#[test]
fn what_does_not_fit() {
    type Damage = fn(&mut Folder);
    let rows: [(&str, Damage); 24] = [
        ("Architecture \"mistral\" is not supported; Pronk runs \"llama\" of MLC's.", |folder| {
            folder.config["model_type"] = json!("mistral")
        }),
        ("Quantization \"q4f32_1\" is not supported; Pronk runs \"q4f16_1\" of MLC's.", |folder| {
            folder.config["quantization"] = json!("q4f32_1")
        }),
        ("mlc-chat-config.json: model_config is missing.", |folder| {
            folder.config["model_config"] = json!(null)
        }),
        ("mlc-chat-config.json: model_config.hidden_size is missing.", |folder| {
            folder.config["model_config"]["hidden_size"] = json!(null)
        }),
        ("model_config.tensor_parallel_shards: expected 1, found 2.", |folder| {
            folder.config["model_config"]["tensor_parallel_shards"] = json!(2)
        }),
        ("RoPE scaling \"yarn\" is not", |folder| {
            folder.config["model_config"]["rope_scaling"] = json!({"rope_type": "yarn"})
        }),
        ("tensor-cache.json: lm_head.q_weight is missing.", |folder| {
            folder.config["model_config"]["tie_word_embeddings"] = json!(false)
        }),
        ("tensor-cache.json: model.norm.bias: expected a tensor of this model's, found another.", |folder| {
            folder.record("model.norm.weight").1 = "model.norm.weight".into();
            folder.records.push((1, "model.norm.bias".into(), "float16", vec![1], vec![0; 2]));
        }),
        (
            "self_attn.qkv_proj.q_weight: expected U32 of shape [384, 24], found U32 of shape [24, 384].",
            |folder| folder.record("model.layers.0.self_attn.qkv_proj.q_weight").3 = vec![24, 384],
        ),
        (
            "self_attn.qkv_proj.q_scale: expected F16 of shape [384, 6], found U32 of shape [384, 3].",
            |folder| {
                let record = folder.record("model.layers.0.self_attn.qkv_proj.q_scale");
                (record.2, record.3) = ("uint32", vec![384, 3]);
            },
        ),
        ("tensor-cache.json: records is missing.", |folder| {
            folder.edit = |cache| cache["records"] = json!(null)
        }),
        (
            "records.0.dataPath: expected the plain name of a file in the same folder, found \"../x\"",
            |folder| folder.edit = |cache| cache["records"][0]["dataPath"] = json!("../x"),
        ),
        ("records.1.dataPath: expected a new file, found \"params_shard_0.bin\" again.", |folder| {
            folder.edit = |cache| cache["records"][1]["dataPath"] = json!("params_shard_0.bin")
        }),
        ("records.0.format: expected \"raw-shard\", found \"zip\".", |folder| {
            folder.edit = |cache| cache["records"][0]["format"] = json!("zip")
        }),
        ("records.0.nbytes is missing.", |folder| {
            folder.edit = |cache| cache["records"][0]["nbytes"] = json!(null)
        }),
        (
            "model.embed_tokens.q_scale: expected bytes between 4800096 and 5400107, where params_shard_0.bin ends, found 600012 bytes from 4800096 on.",
            |folder| folder.edit = |cache| cache["records"][0]["nbytes"] = json!(5_400_107),
        ),
        ("model.embed_tokens.q_scale: expected bytes between 4800096 and 5400108", |folder| {
            folder.edit = |cache| cache["records"][0]["records"][1]["byteOffset"] = json!(4_800_095)
        }),
        ("model.embed_tokens.q_scale: expected bytes between", |folder| {
            folder.edit = |cache| cache["records"][0]["records"][1]["byteOffset"] = json!(u64::MAX)
        }),
        (
            "records.0.records.1.nbytes: expected as many as the shape [50001, 6] takes, found 600011.",
            |folder| folder.edit = |cache| cache["records"][0]["records"][1]["nbytes"] = json!(600_011),
        ),
        (
            "records.0.records.1.nbytes: expected as many as the shape [4294967296, 4294967296] takes, found 600012.",
            |folder| {
                folder.edit =
                    |cache| cache["records"][0]["records"][1]["shape"] = json!([1u64 << 32, 1u64 << 32])
            },
        ),
        ("records.0.records.0.shape: expected whole numbers, found -1.0.", |folder| {
            folder.edit = |cache| cache["records"][0]["records"][0]["shape"] = json!([-1])
        }),
        ("Tensor type \"int3\" of model.embed_tokens.q_weight is not supported", |folder| {
            folder.edit = |cache| cache["records"][0]["records"][0]["dtype"] = json!("int3")
        }),
        ("model.embed_tokens.q_weight: expected a new name, found the name of another tensor.", |folder| {
            folder.edit =
                |cache| cache["records"][1]["records"][0]["name"] = json!("model.embed_tokens.q_weight")
        }),
        ("records.0.records.0: expected an object, found 5.", |folder| {
            folder.edit = |cache| cache["records"][0]["records"][0] = json!(5)
        }),
    ];
    let (healthy, _) = Folder::tiny();
    for (expected, damage) in rows {
        let mut folder =
            Folder { config: healthy.config.clone(), records: healthy.records.clone(), ..healthy };
        damage(&mut folder);
        let error = folder.read().err().unwrap_or_else(|| panic!("no error, expected: {expected}"));
        assert!(error.contains(expected), "\n     got: {error}\nexpected: {expected}");
    }
}

#[test]
fn a_nibble_that_no_quantizer_writes() {
    let (mut folder, _) = Folder::tiny();
    folder.record("model.layers.0.mlp.down_proj.q_weight").4[2] = 0xF0;
    let (checkpoint, shards) = folder.read().unwrap();
    let error = read(&checkpoint, &shards, 1 << 24).unwrap_err().to_string();
    let expected =
        "tensor data: row 0 of model.layers.0.mlp.down_proj.weight: expected weights from 0 to 14, found 15.";
    assert_eq!(error, expected);
}
