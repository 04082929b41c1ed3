//! The demo model answers five chats as Hugging Face's implementation does, on every device.
//!
//! Prompts and ids are equal to the letter; logits within DESIGN.md's bounds; greedy ids wherever the golden's
//! margin exceeds twice the measured error.

#![allow(clippy::unwrap_used, reason = "A test that cannot go on says so by panicking.")]

use std::path::Path;

use engine::{Device, Engine, LoadOptions, Origin, StopFlag};
use gpu::TierChoice;
use llama::KvType;
use pollster::block_on;
use protocol::{GenerateOptions, Message};
use serde_json::Value;
use store::{MemoryFiles, NoStore};

fn load(device: Device, kv: KvType) -> Engine {
    let path = std::env::var_os("PRONK_DEMO_MODEL").unwrap();
    let files = MemoryFiles::single("demo.gguf", std::fs::read(path).unwrap());
    let origin = Origin { files: &files, store: &NoStore };
    let options = LoadOptions { device, context: Some(256), kv, ..LoadOptions::default() };
    block_on(Engine::load(origin, options, &mut |_| {})).unwrap()
}

fn cases() -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/smollm2-golden.json");
    let golden: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    golden["cases"].as_array().unwrap().clone()
}

fn messages(case: &Value) -> Vec<Message> {
    serde_json::from_value(case["messages"].clone()).unwrap()
}

fn ids(value: &Value) -> Vec<u32> {
    serde_json::from_value(value.clone()).unwrap()
}

/// Checks every case on one device; `bound` is relative to the logits' standard deviation.
#[track_caller]
fn check(device: Device, kv: KvType, bound: f64) {
    let mut engine = load(device, kv);
    for case in cases() {
        let prompt = engine.render(&messages(&case)).unwrap();
        assert_eq!(prompt.text, case["prompt_text"].as_str().unwrap());
        assert_eq!(prompt.ids, ids(&case["prompt_ids"]), "{:?}", prompt.text);

        let (logits, _) = block_on(engine.logits(&prompt.ids)).unwrap();
        let error = check_logits(&logits, &case, bound);
        eprintln!("{device:?} {kv:?}: {:?}: error {error:.1e}", prompt.text.lines().nth_back(1));

        let expected = ids(&case["greedy_ids"]);
        let margins: Vec<f64> = serde_json::from_value(case["greedy_margins"].clone()).unwrap();
        let counted = margins.iter().position(|margin| *margin < 2.0 * error).unwrap_or(margins.len());
        let options =
            GenerateOptions { max_tokens: Some(expected.len() as u32), ..GenerateOptions::default() };
        let answer =
            block_on(engine.generate(&prompt.ids, &options, &StopFlag::default(), &mut |_| {})).unwrap();
        assert_eq!(answer.ids[..counted], expected[..counted], "{:?}", prompt.text);
        assert!(counted >= expected.len().min(6), "only {counted} margins exceed the error {error:e}");
    }
}

/// The largest absolute error of the 64 highest logits and of the logarithm of their sum.
#[track_caller]
fn check_logits(logits: &[f32], case: &Value, bound: f64) -> f64 {
    let logits: Vec<f64> = logits.iter().map(|logit| f64::from(*logit)).collect();
    let mean = logits.iter().sum::<f64>() / logits.len() as f64;
    let deviation =
        (logits.iter().map(|logit| (logit - mean).powi(2)).sum::<f64>() / logits.len() as f64).sqrt();
    let top: Vec<(usize, f64)> = serde_json::from_value(case["first_logits_top64"].clone()).unwrap();
    let mut largest: f64 = 0.0;
    for (id, expected) in top {
        let error = (logits[id] - expected).abs();
        assert!(error <= bound * deviation, "logit {id}: got {}, expected {expected}", logits[id]);
        largest = largest.max(error);
    }
    let got = logits.iter().map(|logit| logit.exp()).sum::<f64>().ln();
    let expected = case["first_logits_logsumexp"].as_f64().unwrap();
    assert!((got - expected).abs() <= bound * deviation, "logsumexp: got {got}, expected {expected}");
    largest
}

#[test]
fn with_subgroups() {
    check(Device::Gpu(TierChoice::Subgroups), KvType::F32, 1e-3);
}

#[test]
fn without_subgroups() {
    check(Device::Gpu(TierChoice::Plain), KvType::F32, 1e-3);
}

/// Activations in two bytes, of which a scale serves 32.
#[test]
fn in_whole_numbers() {
    check(Device::Gpu(TierChoice::Int8), KvType::F32, 2e-3);
}

#[test]
fn with_a_cache_of_halves() {
    check(Device::Gpu(TierChoice::Plain), KvType::F16, 1e-2);
}

/// Activations are in two bytes there, too. Single logits move further than DESIGN.md's bound for floats; what that means for
/// probabilities is below.
#[test]
fn on_the_cpu() {
    check(Device::Cpu, KvType::F32, 5e-3);
}

/// What the probabilities after each token of prompt and answer diverge from those of floats throughout: at most
/// DESIGN.md's bound in the mean. With keys and values in bytes single positions exceed it, to about 8e-3.
#[test]
fn what_bytes_lose() {
    let plain = Device::Gpu(TierChoice::Plain);
    let mut exact = load(plain, KvType::F32);
    let mut others = [
        Lossy::new("keys and values in bytes", plain, KvType::I8, 2e-2),
        Lossy::new("whole numbers on the GPU", Device::Gpu(TierChoice::Int8), KvType::F32, 1e-3),
        Lossy::new("whole numbers on the CPU", Device::Cpu, KvType::F32, 1e-3),
    ];
    for case in cases() {
        let ids = [ids(&case["prompt_ids"]), ids(&case["greedy_ids"])].concat();
        let expected = log_probabilities(&mut exact, &ids);
        for other in &mut others {
            other.compare(&ids, &expected);
        }
    }
    for Lossy { what, most, divergences, .. } in others {
        let mean = divergences.iter().sum::<f64>() / divergences.len() as f64;
        let largest = divergences.iter().copied().fold(0.0, f64::max);
        eprintln!(
            "{what}: {mean:e} nats in the mean of {} positions, {largest:e} at most",
            divergences.len()
        );
        assert!(mean <= 1e-3 && largest <= most, "{what}: {mean:e} nats in the mean, {largest:e} at most");
    }
}

/// An engine that computes in fewer bits, and how far that takes it from one in floats.
struct Lossy {
    what: &'static str,
    engine: Engine,
    /// What a single position may lose, in nats.
    most: f64,
    divergences: Vec<f64>,
}

impl Lossy {
    fn new(what: &'static str, device: Device, kv: KvType, most: f64) -> Lossy {
        Lossy { what, engine: load(device, kv), most, divergences: Vec::new() }
    }

    /// `expected` is `[ids, vocab_size]`.
    fn compare(&mut self, ids: &[u32], expected: &[Vec<f64>]) {
        let got = log_probabilities(&mut self.engine, ids);
        let divergence =
            |(p, q): (&Vec<f64>, &Vec<f64>)| p.iter().zip(q).map(|(p, q)| p.exp() * (p - q)).sum::<f64>();
        self.divergences.extend(expected.iter().zip(&got).map(divergence));
    }
}

/// `[ids, vocab_size]`
fn log_probabilities(engine: &mut Engine, ids: &[u32]) -> Vec<Vec<f64>> {
    let mut rows = Vec::new();
    let take = &mut |_, logits: &[f32]| {
        let sum = logits.iter().map(|logit| f64::from(*logit).exp()).sum::<f64>().ln();
        rows.push(logits.iter().map(|logit| f64::from(*logit) - sum).collect());
    };
    block_on(engine.each_logits(ids, 0, take)).unwrap();
    rows
}

#[test]
fn on_the_reference() {
    check(Device::Reference, KvType::F32, 1e-4);
}
