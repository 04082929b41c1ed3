//! What can't be done: one sentence on stderr and exit code 1, or clap's usage and 2.

use format::{Config, TensorName};
use serde_json::json;

use crate::hub_writer::{Tensor, safetensors};
use crate::run::{MODEL, Scratch, pronk, pronk_reading};

#[test]
fn a_command_line_that_means_nothing() {
    let rows: [&[&str]; 18] = [
        &[],
        &["fly"],
        &["inspect"],
        &["inspect", MODEL, "--yaml"],
        &["generate", MODEL],
        &["generate", MODEL, "--prompt", "a", "--ids", "1"],
        &["generate", MODEL, "--ids", "1,x"],
        &["generate", MODEL, "--ids", "-1"],
        &["generate", MODEL, "--ids", "1", "--kernels", "fast"],
        &["generate", MODEL, "--ids", "1", "--device", "tpu"],
        &["generate", MODEL, "--ids", "1", "--max-tokens", "many"],
        &["generate", MODEL, "--ids", "1", "--context", "0"],
        &["generate", MODEL, "--ids", "1", "--temperature", "warm"],
        &["generate", MODEL, "--ids", "1", "--top-k", "-1"],
        &["generate", MODEL, "--ids", "1", "--logit-bias", "5:1"],
        &["generate", MODEL, "--ids", "1", "--greedy", "--seed", "1"],
        &["logits", MODEL, "--json"],
        &["tokenize", MODEL],
    ];
    for arguments in rows {
        let ran = pronk(arguments);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{arguments:?}: {ran:?}");
        assert!(ran.stderr.contains("Usage:") || ran.stderr.contains("--help"), "{arguments:?}: {ran:?}");
    }
}

#[test]
fn a_question_that_the_model_cannot_take() {
    let rows: [(&[&str], &str); 9] = [
        (&["generate", MODEL, "--prompt", ""], "The prompt is empty"),
        (&["generate", MODEL, "--ids", ""], "The prompt is empty"),
        (&["logits", MODEL, "--ids", ""], "The prompt is empty"),
        (&["generate", MODEL, "--ids", "1,330"], "Token 330 does not exist; this model has tokens 0 to 329"),
        (&["logits", MODEL, "--ids", "4294967295"], "Token 4294967295 does not exist"),
        (
            &["generate", MODEL, "--ids", "1,2,3", "--context", "3"],
            "takes 3 tokens, and an answer at least one more, but the context holds 3",
        ),
        (&["generate", MODEL, "--ids", "1", "--context", "131073"], "at most 131072"),
        (&["generate", MODEL, "--messages", "/no/such/file"], "/no/such/file can't be read"),
        (&["logits", MODEL, "--ids-file", "/no/such/file"], "/no/such/file can't be read"),
    ];
    for (arguments, found) in rows {
        pronk(arguments).failed_with(found);
    }
}

#[test]
fn a_setting_that_is_out_of_its_bounds() {
    for (setting, found) in [
        (["--temperature", "-1"], "Temperature is -1, but must be 0 to 5; change it and ask again"),
        (["--temperature", "nan"], "Temperature is NaN, but must be 0 to 5"),
        (["--top-p", "0"], "top_p is 0, but must be above 0 and at most 1"),
        (["--min-p", "1.1"], "min_p is 1.1, but must be 0 to 1"),
        (["--repetition-penalty", "11"], "repetition_penalty is 11, but must be 0.01 to 10"),
        (["--frequency-penalty", "-2.5"], "frequency_penalty is -2.5, but must be -2 to 2"),
        (["--presence-penalty", "inf"], "presence_penalty is inf, but must be -2 to 2"),
        (["--penalty-window", "0"], "penalty_window is 0, but must be 1 to 4294967295"),
        (["--logit-bias", "330=1"], "A token in logit_bias is 330, but must be 0 to 329"),
        (["--logit-bias", "3=-101"], "The logit_bias of token 3 is -101, but must be -100 to 100"),
        (["--seed", "9007199254740992"], "Seed is 9007199254740992, but must be 0 to 9007199254740991"),
        (["--logprobs", "21"], "Logprobs is 21, but must be 0 to 20"),
    ] {
        let ask = ["generate", MODEL, "--ids", "1", "--max-tokens", "1", "--device", "reference"];
        pronk(&[ask.as_slice(), &setting].concat()).failed_with(found);
    }
}

#[test]
fn a_file_of_something_else() {
    let rows = [
        ("render", "--messages", "", "does not hold a JSON list of messages"),
        ("render", "--messages", "{}", "does not hold a JSON list of messages"),
        ("render", "--messages", "[{\"role\":\"poet\",\"content\":\"a\"}]", "poet"),
        ("render", "--messages", "[{\"role\":\"user\"}]", "content"),
        ("render", "--messages", "[]", "The conversation is empty"),
        ("logits", "--ids-file", "[1,2", "does not hold a JSON list of ids"),
        ("logits", "--ids-file", "[1.5]", "does not hold a JSON list of ids"),
        ("logits", "--ids-file", "[-1]", "does not hold a JSON list of ids"),
        ("logits", "--ids-file", "[]", "The prompt is empty"),
    ];
    for (command, option, stdin, found) in rows {
        pronk_reading(stdin, &[command, MODEL, option, "-"]).failed_with(found);
    }
}

#[test]
fn a_model_that_is_none() {
    let scratch = Scratch::new();
    let model = std::fs::read(MODEL).unwrap();
    let altered = |at: usize, bytes: &[u8]| {
        let mut altered = model.clone();
        altered[at..at + bytes.len()].copy_from_slice(bytes);
        altered
    };
    let architecture = model.windows(5).position(|window| window == b"llama").unwrap();
    let files = [
        ("empty", Vec::new(), "has only 0 bytes"),
        ("garbage", b"\x7fELF and more of that kind".repeat(100), "not a GGUF file: it starts with"),
        ("web-page", b"<!DOCTYPE html><title>Not found</title>".to_vec(), "expected"),
        ("short-header", model[..5000].to_vec(), "the file has only 5000 bytes"),
        ("short-data", model[..1_000_000].to_vec(), "the file has only 1000000 bytes"),
        ("version", altered(4, &9u32.to_le_bytes()), "expected 2 or 3, found 9"),
        ("tensors", altered(8, &u64::MAX.to_le_bytes()), "n_tensors"),
        ("keys", altered(16, &u64::MAX.to_le_bytes()), "n_kv"),
        ("key-length", altered(24, &u64::MAX.to_le_bytes()), "key 0"),
        ("architecture", altered(architecture, b"mamba"), "\"mamba\" is not supported"),
    ];
    for (name, bytes, found) in files {
        let path = scratch.file(name, bytes);
        pronk(&["inspect", &path]).failed_with(found);
        pronk(&["inspect", &path, "--json"]).failed_with(found);
        pronk(&["generate", &path, "--ids", "1", "--device", "reference"]).failed_with(found);
        pronk(&["tokenize", &path, "--text", "a"]).failed_with(found);
    }
    let folder = scratch.path().to_str().unwrap();
    pronk(&["inspect", folder]).failed_with("is no model: expected a GGUF file, or a folder");
    pronk(&["inspect", &format!("{folder}/none.gguf")]).failed_with("none.gguf can't be read");
}

/// A Hub folder of these dimensions, whole, in a type whose weights take so many bytes.
fn hub_folder(scratch: &Scratch, config: &Config, dtype: &'static str, weight_bytes: usize) -> String {
    let tensor = |name: TensorName| {
        let shape = config.shape(name).to_vec();
        let shape = if shape[0] == 1 { vec![shape[1]] } else { shape };
        let bytes = vec![0; shape.iter().product::<usize>() * weight_bytes];
        Tensor { file: 0, name: name.to_string(), dtype, shape, bytes }
    };
    let tensors: Vec<Tensor> = TensorName::of_model(config).map(tensor).collect();
    let mut json = config.dimensions();
    json["architectures"] = json!(["LlamaForCausalLM"]);
    let files =
        [("config.json", json.to_string().into_bytes()), ("model.safetensors", safetensors(tensors.iter()))];
    scratch.folder(&format!("{dtype}-{}-{}", config.hidden_size, config.intermediate_size), files)
}

/// Floats could have rows of any length, but the kernels and the layout take 32 columns at once. A model of such rows
/// is refused before any of its bytes is, in every type of float, by a load and by a conversion alike.
#[test]
fn columns_that_fill_no_block() {
    const FITS: Config = Config {
        hidden_size: 192,
        intermediate_size: 224,
        num_hidden_layers: 1,
        num_attention_heads: 6,
        num_key_value_heads: 3,
        head_dim: 32,
        vocab_size: 333,
        rope_scaling: None,
        ..Config::LLAMA_3_1_8B
    };
    let rows = [
        (
            Config { hidden_size: 200, ..FITS },
            "hidden_size, the columns of model.embed_tokens.weight: expected a multiple of 32, found 200",
        ),
        (
            Config { intermediate_size: 232, ..FITS },
            "intermediate_size, the columns of model.layers.0.mlp.down_proj.weight: \
             expected a multiple of 32, found 232",
        ),
        (
            Config { head_dim: 34, hidden_size: 224, ..FITS },
            "num_attention_heads * head_dim, the columns of model.layers.0.self_attn.o_proj.weight: \
             expected a multiple of 32, found 204",
        ),
    ];
    let scratch = Scratch::new();
    let out = scratch.path().join("out").to_str().unwrap().to_owned();
    for (dtype, weight_bytes) in [("F32", 4), ("F16", 2), ("BF16", 2)] {
        let fits = hub_folder(&scratch, &FITS, dtype, weight_bytes);
        pronk(&["logits", &fits, "--ids", "1", "--kernels", "plain", "--json"]).json();
        for (config, found) in &rows {
            let folder = hub_folder(&scratch, config, dtype, weight_bytes);
            for device in [["--device", "reference"], ["--kernels", "plain"]] {
                pronk(&[&["logits", &folder, "--ids", "1"], device.as_slice()].concat()).failed_with(found);
            }
            pronk(&["inspect", &folder]).failed_with(found);
            pronk(&["convert", &folder, &out]).failed_with(found);
            pronk(&["convert", &folder, &out, "--quant", "q8"]).failed_with(found);
        }
    }
    assert!(!scratch.path().join("out").exists(), "nothing was begun");
}
