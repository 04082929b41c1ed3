//! The whole model against transformers, from a Hub folder: bfloat16 in two safetensors files, Llama 3's RoPE scaling,
//! and `q_proj` and `k_proj` in Hugging Face's order of rows.
#![expect(clippy::unwrap_used, reason = "this file is a test")]

#[expect(dead_code, reason = "these cases have no margins")]
mod cases;
mod models;
#[path = "../../format/tests/tiny_llama/mod.rs"]
mod tiny_llama;

use cases::{Case, argmax};
use models::{Forward, Kind, assert_close};

fn cases() -> Vec<Case> {
    cases::parse(&tiny_llama::read("golden.json"))
}

fn model(kind: Kind) -> Box<dyn Forward> {
    let (checkpoint, files) = tiny_llama::open();
    assert_eq!(checkpoint.parameters(), 920_448);
    assert_eq!(checkpoint.generation.eos_token_ids, [1, 2]);
    kind.load(&checkpoint, &files, 100_003)
}

/// DESIGN.md's bound for `f32`, which 9,000 tokens need a sixth of. Only they tell whether RoPE is scaled.
#[test]
fn logits_equal_transformers() {
    let mut checked = 0;
    for kind in Kind::ALL {
        let mut model = model(kind);
        for case in cases().iter().filter(|case| !case.last_logits.is_empty()) {
            let what = format!("{kind:?} {}", case.name);
            model.rewind(0);
            let logits = model.read(&case.input_ids);
            if !case.argmax_per_position.is_empty() {
                let got: Vec<u32> = logits.iter().map(|logits| argmax(logits)).collect();
                assert_eq!(got, case.argmax_per_position, "{what}");
            }
            assert_close(&what, logits.last().unwrap(), &case.last_logits, 1e-3);
            checked += 1;
        }
    }
    assert_eq!(checked, 15);
}

#[test]
fn greedy_ids_equal_transformers() {
    let cases = cases();
    let case = cases.iter().find(|case| !case.greedy.is_empty()).unwrap();
    for kind in Kind::ALL {
        let mut model = model(kind);
        let mut logits = model.read(&case.input_ids);
        assert_eq!(case.greedy.len(), 48);
        for (step, expected) in case.greedy.iter().enumerate() {
            let id = argmax(logits.last().unwrap());
            assert_eq!(id, *expected, "{kind:?} step {step}");
            logits = model.read(&[id]);
        }
    }
}
