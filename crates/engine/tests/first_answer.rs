//! A first question waits for nothing that could have been made ready while its model was loading.

#![allow(clippy::unwrap_used, reason = "A test that cannot go on says so by panicking.")]

use engine::{Backend, Device, Engine, LoadOptions, Origin, StopFlag};
use gpu::TierChoice;
use pollster::block_on;
use protocol::{GenerateOptions, Sampling};
use store::{MemoryFiles, NoStore};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/tiny-llama-3.1");

/// A folder as Hugging Face has them, whose makers want tokens chosen so.
fn load(generation: &str) -> Engine {
    let names = [
        "config.json",
        "model.safetensors.index.json",
        "model-00001-of-00002.safetensors",
        "model-00002-of-00002.safetensors",
    ];
    let read = |name| std::fs::read(format!("{FOLDER}/{name}")).unwrap();
    let files = MemoryFiles::new().with("generation_config.json", generation.into());
    let files = names.iter().fold(files, |files, name| files.with(name, read(name)));
    let device = Device::Gpu(TierChoice::Plain);
    let options = LoadOptions { device, context: Some(64), ..LoadOptions::default() };
    block_on(Engine::load(Origin { files: &files, store: &NoStore }, options, &mut |_| {})).unwrap()
}

fn objects(engine: &Engine) -> u64 {
    let Backend::Gpu(model) = engine.backend() else { panic!("it is not on the GPU") };
    model.gpu().counts().objects_created
}

/// Asks as a page does, and gives the objects that were made on the device meanwhile.
fn made_by_asking(engine: &mut Engine, asked: &Sampling) -> u64 {
    let options = GenerateOptions { max_tokens: Some(3), sampling: engine.with_makers(asked) };
    let before = objects(engine);
    block_on(engine.generate(&[5, 900, 17], &options, &StopFlag::default(), &mut |_| {})).unwrap();
    objects(engine) - before
}

#[test]
fn the_kernels_that_choose_its_tokens_are_there() {
    let (as_they_want, drawn) =
        (Sampling::default(), Sampling { temperature: Some(0.6), ..Sampling::default() });
    let greedy = "{}";
    let usual = made_by_asking(&mut load(greedy), &as_they_want);
    for generation in [
        r#"{"do_sample": true, "temperature": 0.6, "top_p": 0.9}"#,
        r#"{"do_sample": false, "repetition_penalty": 1.1}"#,
    ] {
        assert_eq!(made_by_asking(&mut load(generation), &as_they_want), usual, "{generation}");
    }
    // What nobody expects is made when it is asked for, and once.
    let mut engine = load(greedy);
    assert!(made_by_asking(&mut engine, &drawn) > usual);
    assert_eq!(made_by_asking(&mut engine, &drawn), 0);
}
