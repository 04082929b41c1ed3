//! Llama 3.1's RoPE scaling at 9,000 tokens, past the 8,192 before which it makes little difference, and the real
//! shapes of a Hub folder: bfloat16, rows of q and k in Hugging Face's order.

#![allow(clippy::unwrap_used, reason = "A test that cannot go on says so by panicking.")]

#[path = "../../format/tests/tiny_llama/mod.rs"]
mod tiny_llama;

use format::Sampling;
use gpu::{Gpu, TierChoice};
use llama::{KvType, Loader, Model, Options, Vacancy};
use pollster::block_on;
use serde_json::Value;

fn load(tier: TierChoice, kv: KvType, context: usize) -> Model {
    let (checkpoint, files) = tiny_llama::open();
    let gpu = block_on(Gpu::request(tier)).unwrap();
    let options = Options { context, chunk: 128, kv };
    let vacancy = block_on(Vacancy::new(gpu, &checkpoint, options)).unwrap();
    let forward = block_on(vacancy.forward(&Sampling::default())).unwrap();
    let mut loader = Loader::new(&vacancy, &checkpoint);
    for (file, bytes) in files.iter().enumerate() {
        loader.push(file, 0, bytes).unwrap();
    }
    loader.finish().unwrap();
    block_on(Model::new(vacancy, forward)).unwrap()
}

/// Errors are in standard deviations of the golden's logits.
#[track_caller]
fn check(tier: TierChoice, kv: KvType, bound: f32) {
    let golden: Value = serde_json::from_slice(&tiny_llama::read("golden.json")).unwrap();
    let case = golden["cases"].as_array().unwrap().iter().find(|case| case["name"] == "long-9000").unwrap();
    let ids: Vec<u32> = serde_json::from_value(case["input_ids"].clone()).unwrap();
    let expected: Vec<f32> = serde_json::from_value(case["last_logits"].clone()).unwrap();
    assert_eq!(ids.len(), 9000);

    let mut model = load(tier, kv, 9000);
    for ids in ids.chunks(model.chunk()) {
        let receipt = model.prefill_and_choose(ids).unwrap();
        block_on(receipt.words(model.gpu())).unwrap();
    }
    let got = block_on(model.logits()).unwrap();
    let mean = expected.iter().sum::<f32>() / expected.len() as f32;
    let variance = expected.iter().map(|value| (value - mean).powi(2)).sum::<f32>() / expected.len() as f32;
    for (id, (got, expected)) in got.iter().zip(&expected).enumerate() {
        let error = (got - expected).abs() / variance.sqrt();
        assert!(
            error <= bound,
            "{tier:?} {kv:?} logit {id}: got {got}, expected {expected}, error {error:e}"
        );
    }
}

#[test]
fn nine_thousand_tokens() {
    check(TierChoice::Plain, KvType::F32, 1e-3);
}

#[test]
fn nine_thousand_tokens_in_halves() {
    check(TierChoice::Subgroups, KvType::F16, 1e-2);
}
