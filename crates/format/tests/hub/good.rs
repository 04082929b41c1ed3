//! Folders that are fine, and what is made of them.

use format::{
    ChatTemplateFile, Checkpoint, Config, GenerationConfig, GgmlType, LayerPart, RopeScaling, RowOrder,
    SafetensorsHeader, Span, Stored, TensorName, TokenizerConfig, TokenizerFile,
};
use serde_json::json;

use crate::Damage;
use crate::weights;
use crate::writer::*;

fn layer(part: LayerPart) -> TensorName {
    TensorName::Layer { index: 0, part }
}

#[test]
fn what_may_vary() {
    let variants: [(&str, Damage); 12] = [
        ("as it is", |_| ()),
        ("head_dim given", |folder| folder.config["head_dim"] = json!(32)),
        ("nulls", |folder| {
            for key in
                ["head_dim", "rope_scaling", "sliding_window", "attention_bias", "hidden_act", "bos_token_id"]
            {
                folder.config[key] = json!(null);
            }
        }),
        ("model_type alone", |folder| {
            folder.config.as_object_mut().unwrap().remove("architectures");
            folder.config["model_type"] = json!("llama");
        }),
        ("a sliding window that is not used", |folder| {
            folder.config["sliding_window"] = json!(4096);
            folder.config["use_sliding_window"] = json!(false);
        }),
        ("switches that are off", |folder| {
            for key in ["attention_bias", "mlp_bias", "rope_interleaved"] {
                folder.config[key] = json!(false);
            }
            folder.config["layer_types"] = json!(["full_attention"]);
            folder.config["partial_rotary_factor"] = json!(1.0);
        }),
        ("tied, with a superfluous lm_head", |folder| folder.config["tie_word_embeddings"] = json!(true)),
        ("tied", |folder| {
            folder.config["tie_word_embeddings"] = json!(true);
            folder.remove("lm_head.weight");
        }),
        ("buffers of RoPE", |folder| folder.push(1, "model.layers.0.self_attn.rotary_emb.inv_freq", &[16])),
        ("an index that leaves a buffer out", |folder| {
            folder.weight_map = Some(vec![
                ("lm_head.weight".into(), Folder::file_name(1)),
                ("model.embed_tokens.weight".into(), Folder::file_name(0)),
            ]);
        }),
        ("all in one file", |folder| folder.tensors.iter_mut().for_each(|tensor| tensor.file = 0)),
        ("the other way round", |folder| folder.tensors.reverse()),
    ];
    for (what, vary) in variants {
        let mut folder = Folder::tiny();
        vary(&mut folder);
        let (files, weights_files) = folder.files();
        let checkpoint = Checkpoint::from_hub(files).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(checkpoint.warnings, [""; 0], "{what}");
        let weights = weights(&checkpoint, &weights_files, 10_007);
        let expected = if checkpoint.config.tie_word_embeddings { 11 } else { 12 };
        assert_eq!((weights.len(), checkpoint.tensors.len()), (expected, expected), "{what}");
    }
}

#[test]
fn tensors_and_their_rows() {
    let folder = Folder::tiny();
    let (files, weights_files) = folder.files();
    let checkpoint = Checkpoint::from_hub(files).unwrap();
    let config = Config {
        hidden_size: 192,
        intermediate_size: 256,
        num_hidden_layers: 1,
        num_attention_heads: 6,
        num_key_value_heads: 3,
        head_dim: 32,
        vocab_size: 333,
        max_position_embeddings: 2048,
        rms_norm_eps: 1e-5,
        rope_theta: 10_000.0,
        rope_scaling: None,
        tie_word_embeddings: false,
    };
    assert_eq!(checkpoint.config, config);
    assert_eq!(checkpoint.file_sizes, weights_files.iter().map(|file| file.len() as u64).collect::<Vec<_>>());
    assert_eq!(checkpoint.quantization(), GgmlType::F32);

    let header = SafetensorsHeader::parse(&weights_files[0], weights_files[0].len() as u64).unwrap();
    let k_proj = &header.tensors[3];
    let span = Span { file: 0, offset: k_proj.offset, len: 96 * 192 * 4 };
    let stored = Stored::Rows { span, order: RowOrder::Halves { head_dim: 32 } };
    assert_eq!(checkpoint.tensor(layer(LayerPart::KProj)).unwrap().stored, stored);

    // Row 1 of a head is row 16 of Hugging Face's, row 2 is row 1: golden/rope/qk_permutation.json.
    let weights = weights(&checkpoint, &weights_files, 4096);
    let first_of_row = |part: LayerPart, row: usize| weights[&layer(part)][row * 192];
    for (row, of_hub) in [(0, 0), (1, 16), (2, 1), (31, 31), (32, 32), (33, 48)] {
        assert_eq!(first_of_row(LayerPart::QProj, row), 2e6 + of_hub as f32 * 192.0, "q row {row}");
        assert_eq!(first_of_row(LayerPart::KProj, row), 3e6 + of_hub as f32 * 192.0, "k row {row}");
        assert_eq!(first_of_row(LayerPart::VProj, row), 4e6 + row as f32 * 192.0, "v row {row}");
    }
    assert_eq!(weights[&TensorName::LmHead].len(), 333 * 192);
}

/// Halves of both kinds, vectors included.
#[test]
fn float_types() {
    let mut folder = Folder::tiny();
    for (index, tensor) in folder.tensors.iter_mut().enumerate() {
        tensor.dtype = ["F16", "BF16"][index % 2];
        let one = [[0x00, 0x3c], [0x80, 0x3f]][index % 2]; // 1.0 in either.
        tensor.bytes = one.repeat(tensor.bytes.len() / 4);
    }
    let (files, weights_files) = folder.files();
    let checkpoint = Checkpoint::from_hub(files).unwrap();
    let weights = weights(&checkpoint, &weights_files, 999);
    assert!(weights.values().all(|values| values.iter().all(|value| *value == 1.0)));
    assert_eq!(checkpoint.tensor(TensorName::Norm).unwrap().dtype, GgmlType::F16);
    assert_eq!(checkpoint.tensor(TensorName::LmHead).unwrap().dtype, GgmlType::BF16);
}

#[test]
fn generation() {
    let read = |config: serde_json::Value, generation: Option<serde_json::Value>| {
        let mut folder = Folder::tiny();
        folder.config["eos_token_id"] = config;
        folder.generation_config = generation;
        let checkpoint = Checkpoint::from_hub(folder.files().0).unwrap();
        (checkpoint.generation, checkpoint.warnings)
    };
    let eos = |eos_token_ids: &[u32]| GenerationConfig {
        eos_token_ids: eos_token_ids.into(),
        ..Default::default()
    };
    assert_eq!(read(json!(2), None), (eos(&[2]), vec![]));
    assert_eq!(read(json!([7, 2, 7]), None), (eos(&[2, 7]), vec![]));
    assert_eq!(read(json!(null), None), (eos(&[]), vec![]));
    let stated = json!({
        "eos_token_id": [5, 2], "bos_token_id": 1, "do_sample": true, "temperature": 0.6, "top_k": 50, "top_p": 0.9,
        "repetition_penalty": 1.1,
        "transformers_version": "4.42.3",
    });
    let expected = GenerationConfig {
        eos_token_ids: vec![2, 5, 9],
        bos_token_id: Some(1),
        do_sample: Some(true),
        temperature: Some(0.6),
        top_k: Some(50),
        top_p: Some(0.9),
        repetition_penalty: Some(1.1),
    };
    assert_eq!(read(json!(9), Some(stated)), (expected, vec![]));
    let warning = |id: u32, key: &str| {
        format!("The model's files give {id} as {key}, and its vocabulary has only 333 tokens.")
    };
    assert_eq!(
        read(json!([332, 333, 334]), Some(json!({"bos_token_id": 128_000}))),
        (eos(&[332]), vec![warning(333, "eos_token_id"), warning(128_000, "bos_token_id")])
    );
}

#[test]
fn tokenizer_and_template() {
    let mut folder = Folder::tiny();
    folder.tokenizer_config = Some(json!({
        "bos_token": {"content": "<s>", "lstrip": false}, "eos_token": "</s>", "unk_token": null, "add_bos_token": true,
        "chat_template": "old",
    }));
    let read = |folder: &Folder| Checkpoint::from_hub(folder.files().0).unwrap();
    let config = TokenizerConfig {
        bos_token: Some("<s>".into()),
        eos_token: Some("</s>".into()),
        unk_token: None,
        pad_token: None,
        add_bos_token: Some(true),
    };
    assert_eq!(read(&folder).tokenizer, TokenizerFile::HuggingFace { json: b"{}".into(), config });
    assert_eq!(read(&folder).chat_template.as_deref(), Some("old"));
    folder.chat_template = Some(ChatTemplateFile::Jinja(b"{{ bos_token }}\n".into()));
    assert_eq!(read(&folder).chat_template.as_deref(), Some("{{ bos_token }}\n"));
    folder.chat_template = Some(ChatTemplateFile::Json(br#"{"chat_template": "json"}"#.into()));
    assert_eq!(read(&folder).chat_template.as_deref(), Some("json"));
    folder.chat_template = None;
    let named = |names: &[&str]| {
        let templates: Vec<_> =
            names.iter().map(|name| json!({"name": name, "template": format!("of {name}")})).collect();
        Some(json!({ "chat_template": templates }))
    };
    for (names, expected) in [
        (&["tool_use", "default"][..], Some("of default")),
        (&["rag", "tool_use"], Some("of rag")),
        (&[], None),
    ] {
        folder.tokenizer_config = named(names);
        assert_eq!(read(&folder).chat_template.as_deref(), expected, "{names:?}");
    }
}

#[test]
fn built_with_llama() {
    let rows: [(bool, Damage); 4] = [
        (false, |_| ()),
        (true, |folder| folder.name = Some("Llama-3.1-8B-Instruct".into())),
        (true, |folder| folder.config["_name_or_path"] = json!("meta-llama/Llama-3.2-1B")),
        (false, |folder| folder.config["_name_or_path"] = json!("open_llama_3b")),
    ];
    for (expected, vary) in rows {
        let mut folder = Folder::tiny();
        vary(&mut folder);
        assert_eq!(Checkpoint::from_hub(folder.files().0).unwrap().built_with_llama(), expected);
    }
}

/// The real model's own files, and those that its 1B sister has.
#[test]
fn config_of_llama_3_1_8b() {
    let read = |text: &str| {
        let mut folder = Folder::tiny();
        folder.config = serde_json::from_str(text).unwrap();
        let mut files = folder.files().0;
        files.index = None;
        // Its tensors are not there; the first that is missing is named with the config read.
        Checkpoint::from_hub(files).unwrap_err().to_string()
    };
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/config/config.json");
    let text = std::fs::read_to_string(path).unwrap();
    assert_eq!(
        read(&text),
        "safetensors header: model.embed_tokens.weight: expected shape [128256, 4096], found shape [333, 192]."
    );
    let scaling = RopeScaling { factor: 32.0, ..RopeScaling::LLAMA_3_1 };
    let mut folder = Folder::tiny();
    folder.config["rope_theta"] = json!(500_000.0);
    folder.config["rope_scaling"] = json!({
        "rope_type": "llama3", "factor": 32.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192,
    });
    let config = Checkpoint::from_hub(folder.files().0).unwrap().config;
    assert_eq!((config.rope_theta, config.rope_scaling), (500_000.0, Some(scaling)));
}
