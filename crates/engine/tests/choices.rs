//! What is chosen, on every device: it depends neither on steps in flight nor on guesses, and never on what is no number.

#![allow(clippy::unwrap_used, reason = "A test that cannot go on says so by panicking.")]

use engine::{Answer, Device, Engine, EngineError, LoadOptions, Origin, Speculate, StopFlag};
use format::{Checkpoint, Gguf, TensorName};
use gpu::TierChoice;
use llama::KvType;
use pollster::block_on;
use protocol::{GenerateOptions, Sampling};
use store::{MemoryFiles, MemoryStore};

const MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/gguf/tiny-basic-quants.gguf");

const DEVICES: [Device; 5] = [
    Device::Gpu(TierChoice::Plain),
    Device::Gpu(TierChoice::Subgroups),
    Device::Gpu(TierChoice::Int8),
    Device::Cpu,
    Device::Reference,
];

fn load(device: Device, bytes: Vec<u8>) -> Engine {
    let files = MemoryFiles::single("tiny.gguf", bytes);
    let origin = Origin { files: &files, store: &MemoryStore::new() };
    let options = LoadOptions { device, context: Some(256), kv: KvType::F32, ..LoadOptions::default() };
    block_on(Engine::load(origin, options, &mut |_| {})).unwrap()
}

fn generate(engine: &mut Engine, prompt: &[u32], sampling: &Sampling) -> Result<Answer, EngineError> {
    let options = GenerateOptions { max_tokens: Some(40), sampling: sampling.clone() };
    block_on(engine.generate(prompt, &options, &StopFlag::default(), &mut |_| {}))
}

/// Ids that the tiny model has, again and again, so that there is something to guess.
fn prompt() -> Vec<u32> {
    (0..12).map(|i| 30 + i * 7 % 200).collect::<Vec<_>>().repeat(3)
}

#[test]
fn greedy_ids_depend_on_neither_steps_nor_guesses() {
    for device in DEVICES {
        let mut engine = load(device, std::fs::read(MODEL).unwrap());
        let mut expected = None;
        for steps in [1, 2, 4] {
            for speculate in [Speculate::Never, Speculate::Always, Speculate::WhereFaster] {
                engine.keep_in_flight(steps);
                engine.speculate(speculate);
                let answer = generate(&mut engine, &prompt(), &Sampling::default()).unwrap();
                let what = format!("{device:?}, {steps} steps in flight, {speculate:?}");
                assert_eq!(*expected.get_or_insert_with(|| answer.ids.clone()), answer.ids, "{what}");
                if speculate == Speculate::Always && device != Device::Reference {
                    assert!(answer.usage.guessed_tokens > 5, "{what}: {:?}", answer.usage);
                }
            }
        }
        assert_eq!(expected.map(|ids| ids.len()), Some(40), "{device:?}");
    }
}

/// The model with a gain that is no number, so that all logits are none.
fn broken() -> Vec<u8> {
    let mut bytes = std::fs::read(MODEL).unwrap();
    let gguf = Gguf::parse(&bytes, bytes.len() as u64).unwrap();
    let checkpoint = Checkpoint::from_gguf(gguf).unwrap();
    let gain = checkpoint.tensors.iter().find(|tensor| tensor.name == TensorName::Norm).unwrap();
    let at = gain.stored.spans()[0].offset as usize;
    bytes[at..at + 4].copy_from_slice(&f32::NAN.to_le_bytes());
    bytes
}

#[test]
fn logits_that_are_no_numbers_end_an_answer_in_every_mode() {
    let drawn = Sampling { temperature: Some(0.8), seed: Some(0), ..Sampling::default() };
    let cut = Sampling { top_k: Some(5), top_p: Some(0.9), min_p: Some(0.1), ..drawn.clone() };
    let penalised = Sampling { repetition_penalty: Some(1.2), logit_bias: vec![(3, 1.0)], ..cut.clone() };
    let told = Sampling { logprobs: Some(2), ..Sampling::default() };
    for device in DEVICES {
        let mut engine = load(device, broken());
        for sampling in [&Sampling::default(), &drawn, &cut, &penalised, &told] {
            for speculate in [Speculate::Never, Speculate::Always] {
                engine.speculate(speculate);
                let answer = generate(&mut engine, &prompt(), sampling).map(|answer| answer.ids);
                let what = format!("{device:?}, {sampling:?}, {speculate:?}");
                assert!(matches!(answer, Err(EngineError::NotANumber)), "{what}: {answer:?}");
            }
        }
    }
}
