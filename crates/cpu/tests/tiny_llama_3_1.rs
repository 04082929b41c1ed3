//! The whole model against transformers, from a Hub folder: bfloat16 in two safetensors files, Llama 3's RoPE scaling,
//! and `q_proj` and `k_proj` in Hugging Face's order of rows.
#![expect(clippy::unwrap_used, reason = "this file is a test")]

#[expect(dead_code, reason = "these cases have no margins")]
mod cases;
#[path = "../../format/tests/tiny_llama/mod.rs"]
mod tiny_llama;

use cases::{Case, argmax};
use cpu::{Model, Weights};

fn cases() -> Vec<Case> {
    cases::parse(&tiny_llama::read("golden.json"))
}

fn model() -> Model {
    let (checkpoint, files) = tiny_llama::open();
    assert_eq!(checkpoint.parameters(), 920_448);
    assert_eq!(checkpoint.generation.eos_token_ids, [1, 2]);
    let mut builder = Weights::builder(&checkpoint);
    for (file, bytes) in files.iter().enumerate() {
        for (index, piece) in bytes.chunks(100_003).enumerate() {
            builder.push(file, (index * 100_003) as u64, piece).unwrap();
        }
    }
    Model::new(checkpoint.config, builder.finish().unwrap())
}

/// DESIGN.md's bound for `f32`, which 9,000 tokens need a sixth of. Only they tell whether RoPE is scaled.
#[test]
fn logits_equal_transformers() {
    const BOUND: f32 = 1e-3;
    let mut model = model();
    let mut checked = 0;
    for case in cases().iter().filter(|case| !case.last_logits.is_empty()) {
        model.rewind(0);
        let (mut last, mut got) = (Vec::new(), Vec::new());
        for id in &case.input_ids {
            last = model.forward(*id);
            got.push(argmax(&last));
        }
        if !case.argmax_per_position.is_empty() {
            assert_eq!(got, case.argmax_per_position, "{}", case.name);
        }

        let expected = &case.last_logits;
        assert_eq!(last.len(), expected.len(), "{}", case.name);
        let square = |v: &f32| v * v;
        let deviation = (expected.iter().map(square).sum::<f32>() / expected.len() as f32).sqrt();
        for (i, (got, expected)) in last.iter().zip(expected).enumerate() {
            let error = (got - expected).abs();
            assert!(error <= BOUND * deviation, "{}[{i}]: got {got}, expected {expected}", case.name);
        }
        checked += 1;
    }
    assert_eq!(checked, 5);
}

#[test]
fn greedy_ids_equal_transformers() {
    let cases = cases();
    let case = cases.iter().find(|case| !case.greedy.is_empty()).unwrap();
    let mut model = model();
    let mut logits = Vec::new();
    for id in &case.input_ids {
        logits = model.forward(*id);
    }
    assert_eq!(case.greedy.len(), 48);
    for (step, expected) in case.greedy.iter().enumerate() {
        let id = argmax(&logits);
        assert_eq!(id, *expected, "step {step}");
        logits = model.forward(id);
    }
}
