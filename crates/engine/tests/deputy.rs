//! Half of the layers on another thread, as a second worker has them in a browser: nothing that is said may change.

#![allow(clippy::unwrap_used, reason = "A test that cannot go on says so by panicking.")]

mod thread;

use engine::{Device, Engine, EngineError, LoadOptions, Origin, Speculate, StopFlag};
use pollster::block_on;
use protocol::{FailureKind, GenerateOptions, Sampling};
use store::{MemoryFiles, NoStore};
use thread::Thread;

const MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/gguf/tiny-basic-quants.gguf");

fn load(device: Device) -> Engine {
    let files = MemoryFiles::single("tiny.gguf", std::fs::read(MODEL).unwrap());
    let options = LoadOptions { device, context: Some(256), ..LoadOptions::default() };
    block_on(Engine::load(Origin { files: &files, store: &NoStore }, options, &mut |_| {})).unwrap()
}

fn prompt(len: u32) -> Vec<u32> {
    (0..len).map(|i| 30 + i * 7 % 200).collect()
}

fn answer(engine: &mut Engine, prompt: &[u32], sampling: &Sampling) -> Result<Vec<u32>, EngineError> {
    let options = GenerateOptions { max_tokens: Some(24), sampling: sampling.clone() };
    Ok(block_on(engine.generate(prompt, &options, &StopFlag::default(), &mut |_| {}))?.ids)
}

/// Prompts that go on, that begin otherwise and so are forgotten in part, and that are longer than a step.
#[test]
fn what_is_said_is_the_same() {
    let drawn = Sampling { temperature: Some(0.8), seed: Some(5), ..Sampling::default() };
    let long = [prompt(90), prompt(40)].concat();
    let prompts = [prompt(20), long.clone(), long[..70].to_vec(), prompt(3)];
    for (sampling, speculate) in [
        (Sampling::default(), Speculate::Never),
        (drawn, Speculate::Never),
        (Sampling::default(), Speculate::Always),
    ] {
        // Before the first answer, and between two: what was read by then is not read again.
        for shared_before in [0, 2] {
            let [mut alone, mut shared] = [(); 2].map(|()| load(Device::Cpu));
            for engine in [&mut alone, &mut shared] {
                engine.speculate(speculate);
            }
            for (number, prompt) in prompts.iter().enumerate() {
                if number == shared_before {
                    block_on(shared.share(Thread::start(usize::MAX, |_| ()))).unwrap();
                }
                let [expected, got] =
                    [&mut alone, &mut shared].map(|engine| answer(engine, prompt, &sampling).unwrap());
                assert_eq!(got, expected, "prompt {number}, shared before {shared_before}, {speculate:?}");
            }
            let (logits, choices) = block_on(shared.logits(&long)).unwrap();
            assert_eq!((logits, choices), block_on(alone.logits(&long)).unwrap());
        }
    }
}

/// While layers are handed over, while a prompt is read, while an answer is made.
#[test]
fn a_deputy_that_goes_away_is_told_of() {
    for (orders, is_shared) in [(0, false), (1, false), (4, true), (8, true), (12, true)] {
        let mut engine = load(Device::Cpu);
        let shared = block_on(engine.share(Thread::start(orders, |_| ())));
        assert_eq!(shared.is_ok(), is_shared, "after {orders} orders: {shared:?}");
        let failed = shared.and_then(|()| answer(&mut engine, &prompt(90), &Sampling::default()).map(drop));
        let failure = failed.unwrap_err().failure();
        assert_eq!(failure.kind, FailureKind::DeviceLost, "after {orders} orders");
        let sentence = "The second worker, which computed half of the model, has stopped (the thread has ended); \
                        load the model again.";
        assert_eq!(failure.message, sentence, "after {orders} orders");
    }
}

#[test]
fn only_one_can_have_the_half_and_only_of_a_model_on_the_cpu() {
    for device in [Device::Cpu, Device::Reference] {
        let mut engine = load(device);
        let expected = answer(&mut engine, &prompt(20), &Sampling::default()).unwrap();
        for _ in 0..2 {
            block_on(engine.share(Thread::start(usize::MAX, |_| ()))).unwrap();
            assert_eq!(
                answer(&mut engine, &prompt(20), &Sampling::default()).unwrap(),
                expected,
                "{device:?}"
            );
        }
    }
}
