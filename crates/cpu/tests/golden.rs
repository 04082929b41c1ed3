//! The whole model against transformers, on random Llamas that have every supported tensor type between them.
#![expect(clippy::unwrap_used, reason = "this file is a test")]

mod cases;

use cases::{Case, argmax};
use cpu::{Model, Weights};
use format::{Checkpoint, FormatError, Gguf, TensorName};

fn read(name: &str) -> Vec<u8> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/gguf");
    std::fs::read(format!("{folder}/{name}")).unwrap()
}

const MODELS: [&str; 2] = ["tiny-basic-quants", "tiny-mixed-quants"];

fn cases(model: &str) -> impl Iterator<Item = Case> {
    cases::parse(&read(&format!("{model}.golden.json"))).into_iter()
}

fn checkpoint(file: &[u8]) -> Checkpoint {
    Checkpoint::from_gguf(Gguf::parse(file, file.len() as u64).unwrap()).unwrap()
}

/// The weights, from pieces of so many bytes.
fn weights(file: &[u8], piece_len: usize) -> Weights {
    let checkpoint = checkpoint(file);
    let mut builder = Weights::builder(&checkpoint);
    let mut offset = 0;
    for piece in file.chunks(piece_len) {
        builder.push(0, offset, piece).unwrap();
        offset += piece.len() as u64;
    }
    builder.finish().unwrap()
}

fn model(name: &str) -> Model {
    let file = read(&format!("{name}.gguf"));
    Model::new(checkpoint(&file).config, weights(&file, file.len()))
}

fn standard_deviation(values: &[f32]) -> f32 {
    let mean = values.iter().sum::<f32>() / values.len() as f32;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f32>() / values.len() as f32;
    variance.sqrt()
}

/// The bound is a tenth of what DESIGN.md allows to `f32`: rounding alone makes about 1e-5.
#[test]
fn logits_equal_transformers() {
    const BOUND: f32 = 1e-4;
    let mut checked = 0;
    let cases = MODELS.iter().flat_map(|name| cases(name).map(move |case| (name, case)));
    for (name, case) in cases.filter(|(_, case)| !case.last_logits.is_empty()) {
        let mut model = model(name);
        let logits: Vec<Vec<f32>> = case.input_ids.iter().map(|id| model.forward(*id)).collect();
        let got: Vec<u32> = logits.iter().map(|logits| argmax(logits)).collect();
        assert_eq!(got, case.argmax_per_position, "{name} {}", case.name);

        let (last, expected) = (logits.last().unwrap(), &case.last_logits);
        assert_eq!(last.len(), expected.len(), "{}", case.name);
        let bound = BOUND * standard_deviation(expected);
        for (i, (got, expected)) in last.iter().zip(expected).enumerate() {
            assert!(
                (got - expected).abs() <= bound,
                "{name} {}[{i}]: got {got}, expected {expected}",
                case.name
            );
        }
        checked += 1;
    }
    assert_eq!(checked, 6);
}

#[test]
fn greedy_ids_equal_transformers() {
    for name in MODELS {
        let case = cases(name).find(|case| !case.greedy.is_empty()).unwrap();
        // Every margin is far above the error of any logit.
        assert!(case.greedy.len() == 40 && case.margins.iter().all(|margin| *margin > 3e-3), "{name}");
        let mut model = model(name);
        let mut logits = Vec::new();
        for id in &case.input_ids {
            logits = model.forward(*id);
        }
        for (step, expected) in case.greedy.iter().enumerate() {
            let id = argmax(&logits);
            assert_eq!(id, *expected, "{name} step {step}");
            logits = model.forward(id);
        }
        assert_eq!(model.position(), case.input_ids.len() + 40);
    }
}

#[test]
fn rewinding_forgets() {
    let mut model = model("tiny-basic-quants");
    let first: Vec<Vec<f32>> = [1, 2, 3, 4].map(|id| model.forward(id)).into();
    model.rewind(9); // Not that far yet: nothing happens.
    assert_eq!(model.position(), 4);
    model.rewind(2);
    assert_eq!(model.position(), 2);
    assert_ne!(model.forward(300), first[2], "another token");
    model.rewind(2);
    assert_eq!([model.forward(3), model.forward(4)], first[2..]);
    model.rewind(0);
    assert_eq!(model.forward(1), first[0]);
}

/// Pieces that end inside blocks, inside headers, and between tensors.
#[test]
fn weights_do_not_depend_on_the_pieces() {
    let file = read("tiny-basic-quants.gguf");
    let whole = weights(&file, file.len());
    for piece_len in [1, 17, 8512, 100_003] {
        assert!(weights(&file, piece_len) == whole, "{piece_len}");
    }
}

#[test]
fn missing_bytes_are_noticed() {
    let file = read("tiny-basic-quants.gguf");
    let checkpoint = checkpoint(&file);
    let (first, last) = (&checkpoint.tensors[0], checkpoint.tensors.last().unwrap());

    let mut builder = Weights::builder(&checkpoint);
    builder.push(0, 0, &file[..8600]).unwrap();
    let skipped =
        FormatError::Skipped { tensor: TensorName::RopeFreqs, file: 0, expected: 8600, found: 8601 };
    assert_eq!((first.name, first.stored.spans()[0].offset), (TensorName::RopeFreqs, 8512));
    assert_eq!(builder.push(0, 8601, &file[8601..]), Err(skipped.into()));

    let mut builder = Weights::builder(&checkpoint);
    let span = last.stored.spans()[0];
    let end = (span.offset + span.len) as usize;
    builder.push(0, 0, &file[..end - 1]).unwrap();
    let incomplete = FormatError::Incomplete { tensor: last.name, file: 0, expected: end as u64 - 1 };
    assert_eq!(builder.finish(), Err(incomplete.into()));
}
