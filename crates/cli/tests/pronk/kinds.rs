//! `logits` and `generate` on every kind of model alike: golden/tiny-llama-3.1 as Hugging Face, GGUF, Meta and pronk
//! have it, on the CPU and on the GPU, against the same golden and with the same vocabulary.

use convert::Synthetic;
use format::{Config, TensorName, TokenizerFile};
use serde_json::Value;

use crate::convert::convert;
use crate::golden::{DEVICES, assert_close, floats};
use crate::plain_writers::{gguf_file, params, pth_file};
use crate::run::{Scratch, ids, list, pronk};
use crate::tiny_llama;
use crate::weights::weights;

const HUB_FILES: [&str; 4] = [
    "config.json",
    "model.safetensors.index.json",
    "model-00001-of-00002.safetensors",
    "model-00002-of-00002.safetensors",
];

/// A model on disk.
struct Kind {
    name: &'static str,
    path: String,
    vocabulary: Vocabulary,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Vocabulary {
    /// Meta's `tokenizer.model`.
    Tiktoken,
    /// Names that are no words.
    Gguf,
}

/// The golden's model as each kind of folder, and as a file.
fn kinds(scratch: &Scratch) -> [Kind; 4] {
    let (checkpoint, files) = tiny_llama::open();
    let (config, mut weights) = (checkpoint.config, weights(&checkpoint, &files));
    let tokenizer = ("tokenizer.model", tokenizer_model(config));
    let hub_files = HUB_FILES.map(|name| (name, tiny_llama::read(name)));
    let hub = scratch.folder("hub", hub_files.into_iter().chain([tokenizer.clone()]));
    let meta = [
        ("consolidated.00.pth", pth_file(&config, &weights, 0, 1)),
        ("params.json", params().to_string().into_bytes()),
        tokenizer,
    ];
    weights.insert(TensorName::RopeFreqs, config.rope_freqs().unwrap());
    let of = |name, path, vocabulary| Kind { name, path, vocabulary };
    let (converted, _) = convert(scratch, &hub, &["--shard-size", "300KB"]);
    [
        of("Hugging Face's folder", hub, Vocabulary::Tiktoken),
        of("Meta's folder", scratch.folder("meta", meta), Vocabulary::Tiktoken),
        of("a converted folder", converted, Vocabulary::Tiktoken),
        of("GGUF", scratch.file("tiny.gguf", gguf_file(&config, &weights)), Vocabulary::Gguf),
    ]
}

/// A vocabulary of as many tokens as the golden's model has, which came without one.
fn tokenizer_model(config: Config) -> Vec<u8> {
    match Synthetic::new("tiny", config, 0).unwrap().checkpoint.tokenizer {
        TokenizerFile::Tiktoken { model, .. } => model,
        other => panic!("a vocabulary of another kind: {other:?}"),
    }
}

fn case(name: &str) -> Value {
    let golden: Value = serde_json::from_slice(&tiny_llama::read("golden.json")).unwrap();
    golden["cases"].as_array().unwrap().iter().find(|case| case["name"] == name).unwrap().clone()
}

#[test]
fn logits_of_every_kind_are_right_on_every_device() {
    let scratch = Scratch::new();
    let case = case("prefill-33");
    let input = list(&ids(&case["input_ids"]));
    for kind in kinds(&scratch) {
        for device in DEVICES {
            let answer = pronk(&[&["logits", &kind.path, "--ids", &input, "--json"], device].concat()).json();
            let what = format!("{} on {device:?}", kind.name);
            assert_close(&floats(&answer["logits"]), &floats(&case["last_logits"]), &what);
            assert_eq!(ids(&answer["argmax_per_position"]), ids(&case["argmax_per_position"]), "{what}");
        }
    }
}

#[test]
fn every_kind_generates_the_same() {
    let scratch = Scratch::new();
    let case = case("greedy-48");
    let (input, expected) = (list(&ids(&case["input_ids"])), ids(&case["greedy"]));
    let count = expected.len().to_string();
    let mut texts = Vec::new();
    for kind in kinds(&scratch) {
        for device in DEVICES {
            let arguments =
                ["generate", &kind.path, "--ids", &input, "--max-tokens", &count, "--kv", "f32", "--json"];
            let answer = pronk(&[&arguments, device].concat()).json();
            let what = format!("{} on {device:?}", kind.name);
            assert_eq!(ids(&answer["ids"]), expected, "{what}");
            if kind.vocabulary == Vocabulary::Tiktoken {
                texts.push((what, answer["text"].as_str().unwrap().to_owned()));
            }
        }
    }
    let (_, first) = &texts[0];
    assert!(first.len() > expected.len() / 2, "{first:?}");
    for (what, text) in &texts {
        assert_eq!(text, first, "{what}");
    }
}
