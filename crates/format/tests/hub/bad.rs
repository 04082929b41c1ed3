//! Folders that are no Llama that runs, or not whole.

use format::{Checkpoint, HubIndex};
use serde_json::json;

use crate::check;
use crate::writer::*;

#[test]
fn architecture() {
    check(&[
        ("Architecture \"MistralForCausalLM\" is not supported; Pronk runs LlamaForCausalLM.", |folder| {
            folder.config["architectures"] = json!(["MistralForCausalLM"])
        }),
        ("Architecture \"LlamaForSequenceClassification\" is not", |folder| {
            folder.config["architectures"] = json!(["LlamaForSequenceClassification"])
        }),
        ("Architecture 7 is not supported", |folder| folder.config["architectures"] = json!([7])),
        ("config.json: architectures: expected an array, found \"LlamaForCausalLM\".", |folder| {
            folder.config["architectures"] = json!("LlamaForCausalLM")
        }),
        ("config.json: architectures is missing.", |folder| folder.config["architectures"] = json!([])),
        ("Architecture \"qwen2\" is not supported", |folder| {
            folder.config["architectures"] = json!(null);
            folder.config["model_type"] = json!("qwen2");
        }),
        ("hidden_act \"gelu\" is not supported; Pronk runs \"silu\".", |folder| {
            folder.config["hidden_act"] = json!("gelu")
        }),
        ("A Llama with attention_bias true is not supported; Pronk runs those with false.", |folder| {
            folder.config["attention_bias"] = json!(true)
        }),
        ("A Llama with mlp_bias true is not supported", |folder| folder.config["mlp_bias"] = json!(true)),
        ("A Llama with sliding_window 4096 is not supported", |folder| {
            folder.config["sliding_window"] = json!(4096)
        }),
        ("A Llama with num_local_experts 8 is not supported", |folder| {
            folder.config["num_local_experts"] = json!(8)
        }),
        ("A Llama with partial_rotary_factor 0.5 is not supported", |folder| {
            folder.config["partial_rotary_factor"] = json!(0.5)
        }),
        ("A layer type \"sliding_attention\" is not supported", |folder| {
            folder.config["layer_types"] = json!(["full_attention", "sliding_attention"])
        }),
    ]);
}

#[test]
fn dimensions() {
    check(&[
        ("config.json: hidden_size is missing.", |folder| folder.config["hidden_size"] = json!(null)),
        ("config.json: hidden_size: expected a whole number, found 192.0.", |folder| {
            folder.config["hidden_size"] = json!(192.0)
        }),
        ("config.json: hidden_size: expected a whole number, found -192.0.", |folder| {
            folder.config["hidden_size"] = json!(-192)
        }),
        ("config.json: hidden_size: expected a whole number, found \"192\".", |folder| {
            folder.config["hidden_size"] = json!("192")
        }),
        ("config.json: vocab_size: expected less than 2^32, found 4294967629.", |folder| {
            folder.config["vocab_size"] = json!((1u64 << 32) + 333)
        }),
        (
            "config.json: hidden_size: expected a multiple of num_attention_heads, 7, since head_dim is not given, \
             found 192.",
            |folder| folder.config["num_attention_heads"] = json!(7),
        ),
        ("model config: num_attention_heads: expected 1 to 1024, found 0.", |folder| {
            folder.config["num_attention_heads"] = json!(0)
        }),
        (
            "model config: num_key_value_heads: expected a divisor of num_attention_heads, 6, found 4.",
            |folder| folder.config["num_key_value_heads"] = json!(4),
        ),
        ("model config: rms_norm_eps: expected above 0 and below 1, found 0.", |folder| {
            folder.config["rms_norm_eps"] = json!(0)
        }),
        ("config.json: tie_word_embeddings: expected true or false, found 1.", |folder| {
            folder.config["tie_word_embeddings"] = json!(1)
        }),
        ("config.json: eos_token_id: expected an id or a list of them, found -1.0.", |folder| {
            folder.config["eos_token_id"] = json!(-1)
        }),
        ("config.json: eos_token_id: expected an id or a list of them, found \"</s>\".", |folder| {
            folder.config["eos_token_id"] = json!([2, "</s>"])
        }),
        ("config.json: eos_token_id: expected an id or a list of them, found 4294967296.", |folder| {
            folder.config["eos_token_id"] = json!(1u64 << 32)
        }),
        ("config.json: the file: expected an object, found an array.", |folder| folder.config = json!([])),
    ]);
}

#[test]
fn tensors() {
    check(&[
        ("safetensors header: model.norm.weight is missing.", |folder| folder.remove("model.norm.weight")),
        ("safetensors header: lm_head.weight is missing.", |folder| folder.remove("lm_head.weight")),
        ("model.layers.1.input_layernorm.weight is missing.", |folder| {
            folder.config["num_hidden_layers"] = json!(2)
        }),
        ("model.layers.1.input_layernorm.weight: expected a layer below 1, found layer 1.", |folder| {
            folder.push(0, "model.layers.1.input_layernorm.weight", &[HIDDEN])
        }),
        ("model.layers.0.self_attn.q_proj.bias: expected a tensor of Llama's, found another.", |folder| {
            folder.push(0, "model.layers.0.self_attn.q_proj.bias", &[HIDDEN])
        }),
        ("\"\\u{202e}\": expected a tensor of Llama's, found another.", |folder| {
            folder.push(0, "\u{202e}", &[HIDDEN])
        }),
        ("k_proj.weight: expected shape [96, 192], found shape [192, 96].", |folder| {
            folder.tensor("model.layers.0.self_attn.k_proj.weight").shape = vec![192, 96]
        }),
        ("model.norm.weight: expected shape [192], found shape [1, 192].", |folder| {
            folder.tensor("model.norm.weight").shape = vec![1, 192]
        }),
        (
            "Tensor type I32 of model.norm.weight is not supported; Pronk runs F32 or F16 or BF16 there.",
            |folder| folder.tensor("model.norm.weight").dtype = "I32",
        ),
        ("model.norm.weight: expected in one of the files only, found in two.", |folder| {
            folder.push(0, "model.norm.weight", &[HIDDEN])
        }),
    ]);
}

#[test]
fn other_files() {
    check(&[
        ("generation_config.json: temperature: expected 0 or more, found -1.", |folder| {
            folder.generation_config = Some(json!({"temperature": -1.0}))
        }),
        ("generation_config.json: top_p: expected above 0, at most 1, found 0.", |folder| {
            folder.generation_config = Some(json!({"top_p": 0}))
        }),
        ("generation_config.json: repetition_penalty: expected above 0, found 0.", |folder| {
            folder.generation_config = Some(json!({"repetition_penalty": 0}))
        }),
        ("generation_config.json: eos_token_id: expected at most 1024 ids, found 1025.", |folder| {
            folder.generation_config = Some(json!({"eos_token_id": vec![1; 1025]}))
        }),
        ("generation_config.json: top_k: expected a whole number, found -1.0.", |folder| {
            folder.generation_config = Some(json!({"top_k": -1}))
        }),
        ("generation_config.json: do_sample: expected true or false, found \"yes\".", |folder| {
            folder.generation_config = Some(json!({"do_sample": "yes"}))
        }),
        ("tokenizer_config.json: bos_token.content is missing.", |folder| {
            folder.tokenizer_config = Some(json!({"bos_token": {}}))
        }),
        ("tokenizer_config.json: eos_token: expected a string, found 5.", |folder| {
            folder.tokenizer_config = Some(json!({"eos_token": 5}))
        }),
        ("tokenizer_config.json: chat_template.template is missing.", |folder| {
            folder.tokenizer_config = Some(json!({"chat_template": [{"name": "default"}]}))
        }),
        ("tokenizer_config.json: chat_template: expected an object, found \"x\".", |folder| {
            folder.tokenizer_config = Some(json!({"chat_template": ["x"]}))
        }),
        ("chat template: chat_template.jinja: expected UTF-8, found another byte after 1.", |folder| {
            folder.chat_template = Some(format::ChatTemplateFile::Jinja(b"a\xff".into()))
        }),
        ("chat template: chat_template: expected at most 1048576 bytes, found 1048577 bytes.", |folder| {
            folder.chat_template = Some(format::ChatTemplateFile::Jinja(vec![b'x'; (1 << 20) + 1]))
        }),
        ("chat template can't be read: it is a web page, not JSON.", |folder| {
            folder.chat_template = Some(format::ChatTemplateFile::Json(b"<html>".into()))
        }),
        (
            "model.safetensors.index.json: number of files: expected 2, as many as were opened, found 1.",
            |folder| folder.weight_map = Some(vec![("a".into(), "a.safetensors".into())]),
        ),
        (
            "model.safetensors.index.json: lm_head.weight: expected a tensor in model-00001-of-00002.safetensors, \
             found model-00002-of-00002.safetensors.",
            |folder| {
                let map = [("lm_head.weight", 0), ("model.norm.weight", 1)];
                folder.weight_map =
                    Some(map.map(|(name, file)| (name.into(), Folder::file_name(file))).into());
            },
        ),
        ("lm_head.bias: expected a tensor in model-00001-of-00002.safetensors, found none.", |folder| {
            let map = [("lm_head.bias", 0), ("model.norm.weight", 1)];
            folder.weight_map = Some(map.map(|(name, file)| (name.into(), Folder::file_name(file))).into());
        }),
    ]);
}

/// Names of files that lead out of the folder.
#[test]
fn index() {
    let plain = "expected the plain name of a file in the same folder, found";
    let rows: [(&str, String); 17] = [
        ("../m.safetensors", format!("{plain} \"../m.safetensors\" which leads to another folder.")),
        ("/m.safetensors", format!("{plain} \"/m.safetensors\" which leads to another folder.")),
        ("a\\m.safetensors", format!("{plain} \"a\\\\m.safetensors\" which leads to another folder.")),
        (
            "https://x/m.safetensors",
            format!("{plain} \"https://x/m.safetensors\" which leads to another folder."),
        ),
        ("..", format!("{plain} \"..\" which names a folder.")),
        (".", format!("{plain} \".\" which names a folder.")),
        ("", format!("{plain} \"\" without any letter.")),
        ("m\0.safetensors", format!("{plain} \"m\\0.safetensors\" which has a zero byte in it.")),
        (
            "C:m.safetensors",
            format!("{plain} \"C:m.safetensors\" which has a character that names of files must not have."),
        ),
        ("%2e%2e%2fm.safetensors", "names of files must not have.".into()),
        ("m.safetensors?x", "names of files must not have.".into()),
        ("m.safetensors#x", "names of files must not have.".into()),
        ("m\n.safetensors", "names of files must not have.".into()),
        (&"x".repeat(256), "more bytes which is longer than a name can be.".into()),
        ("m.bin", "weight_map.a: expected a file that ends in .safetensors, found \"m.bin\".".into()),
        ("safetensors", "expected a file that ends in .safetensors".into()),
        ("..safetensors", String::new()),
    ];
    for (name, expected) in &rows {
        let index = json!({"weight_map": {"a": name}}).to_string();
        match HubIndex::parse(index.as_bytes()) {
            Ok(index) => assert_eq!((index.files, expected.as_str()), (vec![(*name).to_owned()], "")),
            Err(error) => assert!(
                !expected.is_empty() && error.to_string().contains(expected),
                "\n     got: {error}\nexpected: {expected}"
            ),
        }
    }
    let many: serde_json::Map<_, _> =
        (0..10_001).map(|i| (i.to_string(), json!(format!("{i}.safetensors")))).collect();
    let rows = [
        (json!([]), "the file: expected an object, found an array."),
        (json!({}), "weight_map is missing."),
        (json!({"weight_map": []}), "weight_map: expected an object, found an array."),
        (json!({"weight_map": {}}), "weight_map: expected 1 to 10000 files, found 0."),
        (json!({"weight_map": many}), "weight_map: expected 1 to 10000 files, found 10001."),
        (json!({"weight_map": {"a": 5}}), "weight_map.a: expected the name of a file, found 5."),
        (
            json!({"weight_map": {"\u{202e}": 5}}),
            "weight_map.\"\\u{202e}\": expected the name of a file, found 5.",
        ),
    ];
    for (index, expected) in rows {
        let error = HubIndex::parse(index.to_string().as_bytes()).unwrap_err().to_string();
        let expected = format!("model.safetensors.index.json: {expected}");
        assert_eq!(error, expected);
    }
}

/// The header of one file says that it is longer than what came.
#[test]
fn a_file_that_is_cut_short() {
    let (mut files, weights) = Folder::tiny().files();
    let cut = weights[1].len() as u64 - 1;
    let error = format::SafetensorsHeader::parse(&weights[1], cut).unwrap_err().to_string();
    assert!(error.starts_with("tensor data: lm_head.weight ends at byte"), "{error}");
    assert!(error.ends_with("It is cut short or damaged; fetch it again."), "{error}");
    files.config = b"<html>".into();
    let error = Checkpoint::from_hub(files).unwrap_err().to_string();
    assert_eq!(
        error,
        "config.json can't be read: it is a web page, not JSON. Fetch the file again, or take another copy of the model."
    );
}
