//! A Hugging Face folder: bfloat16 in two files, against Hugging Face's own implementation, and kept file by file.

#![allow(clippy::unwrap_used, reason = "A test that cannot go on says so by panicking.")]

use engine::{
    Container, Device, Engine, EngineError, LoadOptions, Origin, StopFlag, forget, is_kept, read_header,
};
use gpu::TierChoice;
use llama::KvType;
use pollster::block_on;
use protocol::{FailureKind, GenerateOptions, Message, Role, Sampling, SamplingDefaults};
use serde_json::Value;
use store::{MemoryFiles, MemoryStore, NoStore, Store};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/tiny-llama-3.1");
const FILES: [&str; 4] = [
    "config.json",
    "model.safetensors.index.json",
    "model-00001-of-00002.safetensors",
    "model-00002-of-00002.safetensors",
];

fn folder() -> MemoryFiles {
    let read = |name: &str| std::fs::read(format!("{FOLDER}/{name}")).unwrap();
    FILES.iter().fold(MemoryFiles::new(), |files, name| files.with(name, read(name)))
}

fn load<T: Store>(
    files: &MemoryFiles,
    store: &T,
    device: Device,
    context: usize,
) -> Result<Engine, EngineError> {
    let options = LoadOptions { device, context: Some(context), kv: KvType::F32, ..LoadOptions::default() };
    block_on(Engine::load(Origin { files, store }, options, &mut |_| {}))
}

fn cases() -> Vec<Value> {
    let text = std::fs::read_to_string(format!("{FOLDER}/golden.json")).unwrap();
    serde_json::from_str::<Value>(&text).unwrap()["cases"].as_array().unwrap().clone()
}

fn list<T: serde::de::DeserializeOwned>(case: &Value, key: &str) -> Vec<T> {
    case.get(key).map(|list| serde_json::from_value(list.clone()).unwrap()).unwrap_or_default()
}

/// The largest error, in standard deviations of the expected logits.
fn error(got: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(got.len(), expected.len());
    let mean = expected.iter().sum::<f32>() / expected.len() as f32;
    let variance = expected.iter().map(|value| (value - mean).powi(2)).sum::<f32>() / expected.len() as f32;
    let largest = got.iter().zip(expected).map(|(got, expected)| (got - expected).abs()).fold(0.0, f32::max);
    largest / variance.sqrt()
}

/// All cases but the longest, which `crates/llama/tests/long_context.rs` has.
#[test]
fn logits_and_ids_equal_transformers() {
    // Weights in floats are multiplied in floats on every tier.
    for tier in [TierChoice::Subgroups, TierChoice::Plain, TierChoice::Int8] {
        let mut engine = load(&folder(), &NoStore, Device::Gpu(tier), 256).unwrap();
        for case in cases() {
            let (name, input) = (case["name"].as_str().unwrap(), list::<u32>(&case, "input_ids"));
            let (logits, greedy) = (list::<f32>(&case, "last_logits"), list::<u32>(&case, "greedy"));
            if input.len() > 256 {
                continue;
            }
            if !logits.is_empty() {
                let (got, choices) = block_on(engine.logits(&input)).unwrap();
                let error = error(&got, &logits);
                assert!(error <= 1e-3, "{tier:?} {name}: error {error:e} of the deviation");
                assert_eq!(choices, list::<u32>(&case, "argmax_per_position"), "{tier:?} {name}");
            }
            if !greedy.is_empty() {
                let options =
                    GenerateOptions { max_tokens: Some(greedy.len() as u32), ..GenerateOptions::default() };
                let stop = StopFlag::default();
                let answer = block_on(engine.generate(&input, &options, &stop, &mut |_| {})).unwrap();
                assert_eq!(answer.ids, greedy, "{tier:?} {name}");
                assert_eq!(answer.text, "", "there is no tokenizer");
            }
        }
    }
}

#[test]
fn the_second_visit_asks_for_nothing_until_it_is_forgotten() {
    let (files, store) = (folder(), MemoryStore::new());
    let origin = Origin { files: &files, store: &store };
    assert!(!block_on(is_kept(origin)));
    load(&files, &store, Device::Reference, 64).unwrap();
    assert!(block_on(is_kept(origin)));

    let again = folder();
    load(&again, &store, Device::Reference, 64).unwrap();
    for name in FILES {
        assert_eq!(again.source(name).unwrap().calls(), 0, "{name}");
    }
    block_on(forget(origin)).unwrap();
    assert!(!block_on(is_kept(origin)));
    assert_eq!(store.piece_count(), 0);
}

#[test]
fn how_its_makers_want_tokens_drawn_is_carried_along() {
    let load = |files| load(&files, &NoStore, Device::Reference, 16).unwrap().info().sampling;
    assert_eq!(load(folder()), SamplingDefaults::default());
    let stated = r#"{"do_sample": true, "temperature": 0.6, "top_p": 0.9, "repetition_penalty": 1.1}"#;
    let expected = SamplingDefaults {
        do_sample: Some(true),
        temperature: Some(0.6),
        top_k: None,
        top_p: Some(0.9),
        repetition_penalty: Some(1.1),
    };
    assert_eq!(load(folder().with("generation_config.json", stated.into())), expected);

    // A chat draws so where nobody asks for anything else; what no one may ask for is brought within its bounds.
    let files = folder().with("generation_config.json", stated.replace("1.1", "0.001").into());
    let engine = self::load(&files, &NoStore, Device::Reference, 16).unwrap();
    let asked = Sampling { top_p: Some(0.5), ..Sampling::default() };
    let (temperature, repetition_penalty) = (Some(0.6), Some(0.01));
    let expected = Sampling { temperature, repetition_penalty, ..asked.clone() };
    assert_eq!(engine.with_makers(&asked), expected);
}

#[test]
fn without_a_tokenizer_it_takes_ids_only() {
    let mut engine = load(&folder(), &NoStore, Device::Reference, 64).unwrap();
    let failure = engine.encode_prompt("text").unwrap_err().failure();
    assert!(failure.message.starts_with("This model came without a tokenizer"), "{}", failure.message);
    assert_eq!(failure.kind, FailureKind::ModelFile);
    let message = Message { role: Role::User, content: "Hi".to_owned() };
    assert!(matches!(engine.render(&[message]), Err(EngineError::NoTokenizer)));
    let options = GenerateOptions { max_tokens: Some(1), ..GenerateOptions::default() };
    let answer = |engine: &mut Engine, id| {
        block_on(engine.generate(&[id], &options, &StopFlag::default(), &mut |_| {}))
            .map(|answer| answer.ids.len())
    };
    assert_eq!(answer(&mut engine, 999).unwrap(), 1);
    let message = answer(&mut engine, 1000).unwrap_err().failure().message;
    assert!(message.starts_with("Token 1000 does not exist; this model has tokens 0 to 999"), "{message}");
}

#[test]
fn any_file_of_the_folder_stands_for_it() {
    for name in [None, Some("config.json"), Some("model-00002-of-00002.safetensors")] {
        let files = name.iter().fold(folder(), |files, name| files.named_by(name));
        let header = block_on(read_header(Origin { files: &files, store: &NoStore })).unwrap();
        assert_eq!((header.container, header.files.len()), (Container::Hub, 2), "{name:?}");
    }
    let files = MemoryFiles::new().with("config.json", b"{}".to_vec());
    let message = load(&files, &NoStore, Device::Reference, 64).unwrap_err().failure().message;
    assert_eq!(message, "There is no file model.safetensors.");
}
