//! The whole model against transformers, on random Llamas that have every supported tensor type between them.
#![expect(clippy::unwrap_used, reason = "this file is a test")]

mod cases;
mod models;

use cases::{Case, argmax};
use cpu::Weights;
use format::{Checkpoint, FormatError, Gguf, TensorName};
use models::{Forward, Kind, assert_close};

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

/// The reference's weights, from pieces of so many bytes.
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

/// A model, from pieces that end inside blocks.
fn model(kind: Kind, name: &str) -> Box<dyn Forward> {
    let file = read(&format!("{name}.gguf"));
    kind.load(&checkpoint(&file), &[file], 100_003)
}

/// A tenth of what DESIGN.md allows to `f32`, since rounding alone makes about 1e-5 of a logit's deviation. Activations of
/// 16 bits make 1.1e-3 of it in the steepest of these, where `f16` keys and values would be allowed 1e-2.
fn bound(kind: Kind) -> f32 {
    match kind {
        Kind::Reference => 1e-4,
        Kind::Simd | Kind::Shared => 2e-3,
    }
}

#[test]
fn logits_equal_transformers() {
    let mut checked = 0;
    for kind in Kind::ALL {
        let cases = MODELS.iter().flat_map(|name| cases(name).map(move |case| (name, case)));
        for (name, case) in cases.filter(|(_, case)| !case.last_logits.is_empty()) {
            let what = format!("{kind:?} {name} {}", case.name);
            let logits = model(kind, name).read(&case.input_ids);
            let got: Vec<u32> = logits.iter().map(|logits| argmax(logits)).collect();
            assert_eq!(got, case.argmax_per_position, "{what}");
            assert_close(&what, logits.last().unwrap(), &case.last_logits, bound(kind));
            checked += 1;
        }
    }
    assert_eq!(checked, 18);
}

#[test]
fn greedy_ids_equal_transformers() {
    for (kind, name) in Kind::ALL.into_iter().flat_map(|kind| MODELS.map(|name| (kind, name))) {
        let case = cases(name).find(|case| !case.greedy.is_empty()).unwrap();
        // Every margin is far above the error of any logit.
        assert!(case.greedy.len() == 40 && case.margins.iter().all(|margin| *margin > 3e-3), "{name}");
        let mut model = model(kind, name);
        let mut logits = model.read(&case.input_ids);
        for (step, expected) in case.greedy.iter().enumerate() {
            let id = argmax(logits.last().unwrap());
            assert_eq!(id, *expected, "{kind:?} {name} step {step}");
            logits = model.read(&[id]);
        }
        assert_eq!(model.position(), case.input_ids.len() + 40);
    }
}

/// A token has the same logits whether it comes alone or with others, to the bit.
#[test]
fn rewinding_forgets() {
    for kind in Kind::ALL {
        let mut model = model(kind, "tiny-basic-quants");
        let first = model.read(&[1, 2, 3, 4]);
        model.rewind(9); // Not that far yet: nothing happens.
        assert_eq!(model.position(), 4);
        model.rewind(2);
        assert_eq!(model.position(), 2);
        assert_ne!(model.read(&[300])[0], first[2], "another token");
        model.rewind(2);
        assert_eq!([model.read(&[3]), model.read(&[4])].concat(), first[2..], "{kind:?}");
        model.rewind(0);
        assert_eq!(model.read(&[1])[0], first[0], "{kind:?}");
    }
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
