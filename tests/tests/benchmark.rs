//! The benchmark's check of the demo model against what is stored for it, and that a damaged file does not pass.

#![allow(clippy::unwrap_used, reason = "A test that cannot go on says so by panicking.")]

use engine::{Device, Engine, LoadOptions, Origin, Quantize, StopFlag};
use gpu::TierChoice;
use llama::KvType;
use pollster::block_on;
use protocol::{AccuracyReference, AccuracyReport};
use store::{MemoryFiles, NoStore};

/// Enough for what is stored, and for the shortest of the prompts that are timed.
const CONTEXT: usize = 64;

fn demo() -> Vec<u8> {
    std::fs::read(std::env::var_os("PRONK_DEMO_MODEL").unwrap()).unwrap()
}

fn accuracy(file: Vec<u8>, options: LoadOptions) -> AccuracyReport {
    let files = MemoryFiles::single("demo.gguf", file);
    let origin = Origin { files: &files, store: &NoStore };
    let options = LoadOptions { context: Some(CONTEXT), ..options };
    let mut engine = block_on(Engine::load(origin, options, &mut |_| {})).unwrap();
    block_on(engine.benchmark(&StopFlag::default(), &mut |_| {})).unwrap().unwrap().accuracy
}

fn on(device: Device, kv: KvType) -> LoadOptions {
    LoadOptions { device, kv, ..LoadOptions::default() }
}

#[track_caller]
fn check(options: LoadOptions) {
    let accuracy = accuracy(demo(), options);
    eprintln!("{options:?}: {accuracy:?}");
    assert!(accuracy.passed, "{options:?}: {accuracy:?}");
    assert_eq!((accuracy.against, accuracy.logits), (AccuracyReference::Stored, 32));
    assert!(accuracy.error.unwrap() > 0.0, "another implementation has other rounding");
    assert_eq!(accuracy.greedy.map(|greedy| greedy.expected), Some(8), "{accuracy:?}");
}

#[test]
fn the_demo_passes_on_the_cpu() {
    check(on(Device::Cpu, KvType::F16));
}

#[test]
fn the_demo_passes_on_the_gpu() {
    check(on(Device::Gpu(TierChoice::Subgroups), KvType::F16));
}

#[test]
fn the_demo_passes_with_a_cache_of_bytes() {
    let accuracy = accuracy(demo(), on(Device::Gpu(TierChoice::Plain), KvType::I8));
    assert!(accuracy.passed, "{accuracy:?}");
    assert!(accuracy.divergence.unwrap() > 0.0, "{accuracy:?}");
}

/// Of the same name and size, so that it is taken for the demo.
#[test]
fn a_damaged_file_does_not_pass() {
    let mut file = demo();
    for byte in &mut file[60_000_000..60_100_000] {
        *byte ^= 0x11;
    }
    let accuracy = accuracy(file, on(Device::Cpu, KvType::F16));
    assert_eq!((accuracy.against, accuracy.passed), (AccuracyReference::Stored, false), "{accuracy:?}");
}

/// Nothing is stored for what becomes of it.
#[test]
fn a_demo_that_is_quantized_anew_is_compared_with_itself() {
    let quantize = Quantize::from(protocol::Quantize::Q8);
    let accuracy = accuracy(demo(), LoadOptions { quantize, ..on(Device::Cpu, KvType::F16) });
    assert_eq!((accuracy.against, accuracy.passed), (AccuracyReference::Itself, true), "{accuracy:?}");
}
