use format::{Checkpoint, Gguf};
use gpu::{Arithmetic, GpuError};
use kernels::KvType;
use pollster::block_on;

use super::*;

/// Between them every way in which weights have scales.
const GOLDEN: [&str; 2] = ["tiny-basic-quants", "tiny-mixed-quants"];

fn outline(name: &str, kv: KvType) -> Outline {
    let path = format!("{}/../../tests/golden/gguf/{name}.gguf", env!("CARGO_MANIFEST_DIR"));
    let bytes = std::fs::read(path).unwrap();
    let gguf = Gguf::parse(&bytes, bytes.len() as u64).unwrap();
    Outline::new(&Checkpoint::from_gguf(gguf).unwrap(), kv)
}

/// On a device that is taken for hardware, whose kernels those are that trials choose among.
fn trial(outline: Outline) -> Trial {
    let gpu = block_on(Gpu::request(TierChoice::Plain)).unwrap().as_hardware();
    block_on(Trial::new(gpu, outline)).unwrap()
}

/// What a tier gives, before it has run for the clock and after.
fn output(trial: &Trial, tier: TierChoice, arithmetic: Arithmetic) -> Vec<f32> {
    let attempt = block_on(trial.attempt(tier, arithmetic)).unwrap();
    let output = block_on(trial.output(&attempt)).unwrap();
    block_on(trial.decode(&attempt, 3)).unwrap();
    block_on(trial.prefill(&attempt, 2)).unwrap();
    assert_eq!(block_on(trial.output(&attempt)).unwrap(), output, "{tier:?}: again");
    output
}

/// The largest difference, in standard deviations of what is expected.
fn deviation(got: &[f32], expected: &[f32]) -> f32 {
    let mean = expected.iter().sum::<f32>() / expected.len() as f32;
    let variance = expected.iter().map(|x| (x - mean).powi(2)).sum::<f32>() / expected.len() as f32;
    let largest = got.iter().zip(expected).map(|(got, expected)| (got - expected).abs()).fold(0.0, f32::max);
    largest / variance.sqrt()
}

#[track_caller]
fn check(name: &str, kv: KvType) {
    let outline = outline(name, kv);
    let hidden_size = outline.config.hidden_size;
    let trial = trial(outline);
    let expected = output(&trial, TierChoice::Plain, Arithmetic::Floats);
    assert_eq!(expected.len(), (READ + 1) * hidden_size);
    // The layer adds something to the stream of every token, and not so much that nothing else is left of it.
    let before = made_up(1, expected.len());
    for token in 0..=READ {
        let row = token * hidden_size..(token + 1) * hidden_size;
        let added = deviation(&expected[row.clone()], &before[row]);
        assert!((0.1..100.0).contains(&added), "{name}, {kv:?}, token {token}: {added}");
    }
    let attempt = block_on(trial.attempt(TierChoice::Plain, Arithmetic::Floats)).unwrap();
    assert!(attempt.plans.few.is_some() && attempt.splits.is_some(), "all kinds of kernels");
    for (tier, arithmetic, expected_deviation) in [
        (TierChoice::Subgroups, Arithmetic::Floats, 0.0..1e-5),
        (TierChoice::Subgroups, Arithmetic::Halves, 1e-4..1e-2),
        (TierChoice::Subgroups, Arithmetic::WholeNumbers, 1e-5..1e-2),
        (TierChoice::Int8, Arithmetic::Floats, 1e-6..1e-3),
        (TierChoice::Int8, Arithmetic::WholeNumbers, 1e-5..1e-2),
    ] {
        let deviation = deviation(&output(&trial, tier, arithmetic), &expected);
        eprintln!("{name}, {kv:?}, {tier:?}, {arithmetic:?}: {deviation:e}");
        let is_expected = expected_deviation.contains(&deviation);
        assert!(is_expected, "{name}, {kv:?}, {tier:?}, {arithmetic:?}: {deviation}");
    }
}

#[test]
fn all_tiers_agree() {
    for kv in KvType::ALL {
        check(GOLDEN[0], kv);
    }
    check(GOLDEN[1], KvType::F16);
}

#[test]
fn one_layer_takes_no_more_memory_than_a_layer() {
    let outline = outline(GOLDEN[0], KvType::F16);
    let trial = trial(outline);
    let matrices: u64 = trial.layer.matrices().iter().map(|matrix| matrix.bytes()).sum();
    let vectors = 2 * 4 * trial.outline.config.hidden_size as u64;
    let probes = 1 << 16;
    let allocated = trial.gpu.counts().bytes_allocated;
    assert!(allocated <= matrices + vectors + trial.cache.bytes() + probes, "{allocated} bytes");
}

#[test]
fn descriptions_tell_models_apart_that_kernels_do() {
    let mut descriptions: Vec<String> = Vec::new();
    for name in GOLDEN {
        for kv in KvType::ALL {
            let outline = outline(name, kv);
            assert_eq!(outline.description(), outline.clone().description());
            descriptions.push(outline.description());
        }
    }
    descriptions.sort();
    descriptions.dedup();
    assert_eq!(descriptions.len(), 6, "{descriptions:?}");
}

#[test]
fn a_lost_device_says_so() {
    let trial = trial(outline(GOLDEN[0], KvType::F16));
    let attempt = block_on(trial.attempt(TierChoice::Plain, Arithmetic::Floats)).unwrap();
    trial.gpu.destroy();
    let lost = |error| matches!(error, LlamaError::Gpu(GpuError::Lost { .. }));
    assert!(lost(block_on(trial.output(&attempt)).unwrap_err()));
    assert!(lost(block_on(trial.decode(&attempt, 1)).unwrap_err()));
    assert!(lost(block_on(trial.prefill(&attempt, 1)).unwrap_err()));
    let again = block_on(trial.attempt(TierChoice::Plain, Arithmetic::Floats));
    assert!(lost(again.unwrap_err()));
}
