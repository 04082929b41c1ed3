//! What a load takes on the device is what was said before it, whatever was chosen.

#![allow(clippy::unwrap_used, reason = "A test that cannot go on says so by panicking.")]

use engine::{Device, Engine, LoadOptions, Memory, Origin, Quantize, kv_type, read_header};
use format::{Checkpoint, Config, Quant, TensorName};
use gpu::{Limits, TierChoice};
use llama::KvType;
use pollster::block_on;
use store::{MemoryFiles, NoStore};

const TINY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/gguf/tiny-mixed-quants.gguf");

/// Blocks of positions that a cache is made of; a context that fills them takes no more than its own.
const CONTEXT: usize = 256;

fn files() -> MemoryFiles {
    MemoryFiles::single("tiny.gguf", std::fs::read(TINY).unwrap())
}

fn header() -> Checkpoint {
    block_on(read_header(Origin { files: &files(), store: &NoStore })).unwrap().checkpoint
}

/// Bytes of the vectors, which the device's own count leaves out.
fn vectors(checkpoint: &Checkpoint) -> u64 {
    let vectors = checkpoint.tensors.iter().filter(|tensor| tensor.rows == 1);
    vectors.filter(|tensor| tensor.name != TensorName::RopeFreqs).map(|tensor| 4 * tensor.weights()).sum()
}

#[track_caller]
fn check(quantize: Quantize, kv: KvType) {
    let device = Device::Gpu(TierChoice::Auto);
    let options = LoadOptions { device, context: Some(CONTEXT), kv, quantize };
    let origin = Origin { files: &files(), store: &NoStore };
    let engine = block_on(Engine::load(origin, options, &mut |_| {})).unwrap();
    let checkpoint = header();
    let memory = Memory::of(&checkpoint, quantize);
    let said = memory.weights() - vectors(&checkpoint) + memory.kv_cache(kv, CONTEXT);
    // Matrices of floats have a word in place of scales.
    let most = said + 4 * checkpoint.tensors.len() as u64;
    let took = engine.device().device_bytes;
    assert!((said..=most).contains(&took), "{quantize:?}, {kv:?}: took {took}, said {said}");
    assert_eq!(engine.info().kv_bytes_per_token, memory.kv_bytes_per_token(kv));
}

#[test]
fn a_load_takes_what_was_said_before_it() {
    check(Quantize::Never, KvType::F16);
    check(Quantize::Never, KvType::F32);
    check(Quantize::Never, KvType::I8);
    check(Quantize::WhereItSuits, KvType::F16);
    for quant in [Quant::Q4, Quant::Q4M, Quant::Q6, Quant::Q8, Quant::F16] {
        check(Quantize::To(quant), KvType::F16);
    }
}

/// The CPU keeps floats, whatever was asked for.
#[test]
fn keys_and_values_are_told_as_they_are_kept() {
    const GPU: Device = Device::Gpu(TierChoice::Plain);
    let memory = Memory::of(&header(), Quantize::Never);
    for (device, kv, kept) in [
        (GPU, KvType::F16, KvType::F16),
        (GPU, KvType::I8, KvType::I8),
        (Device::Cpu, KvType::F16, KvType::F32),
        (Device::Cpu, KvType::I8, KvType::F32),
        (Device::Reference, KvType::F16, KvType::F32),
    ] {
        let options = LoadOptions { device, context: Some(CONTEXT), kv, quantize: Quantize::Never };
        let origin = Origin { files: &files(), store: &NoStore };
        let engine = block_on(Engine::load(origin, options, &mut |_| {})).unwrap();
        let told = (kv_type(engine.info().kv), engine.info().kv_bytes_per_token);
        assert_eq!(told, (kept, memory.kv_bytes_per_token(kept)), "{device:?}, {kv:?}");
    }
}

#[test]
fn the_longest_context_is_the_models_or_the_devices() {
    let mut checkpoint = header();
    checkpoint.config = Config::LLAMA_3_1_8B;
    let memory = Memory::of(&checkpoint, Quantize::Never);
    let longest =
        |kv, binding_bytes| memory.longest_context(kv, Limits { binding_bytes, workgroups: 65_535 });
    let most = Config::LLAMA_3_1_8B.max_position_embeddings;
    for kv in [KvType::F16, KvType::I8, KvType::F32] {
        assert_eq!(longest(kv, 2 << 30), most, "{kv:?}");
        let within = longest(kv, 1 << 20);
        assert!(0 < within && within < most, "{kv:?}: {within}");
    }
}
