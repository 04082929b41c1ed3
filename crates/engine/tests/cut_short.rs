//! Answers that are never begun, and those that are let go of on the way: what they leave in the cache is what is there.

#![allow(clippy::unwrap_used, reason = "A test that cannot go on says so by panicking.")]

use std::cell::Cell;
use std::future::{pending, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use engine::{Answer, Device, Engine, LoadOptions, Origin, StopFlag};
use gpu::TierChoice;
use llama::KvType;
use pollster::block_on;
use protocol::{FinishReason, GenerateOptions};
use store::{MemoryFiles, NoStore};

const MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/gguf/tiny-basic-quants.gguf");

const DEVICES: [Device; 4] =
    [Device::Gpu(TierChoice::Plain), Device::Gpu(TierChoice::Int8), Device::Cpu, Device::Reference];

fn load(device: Device) -> Engine {
    let files = MemoryFiles::single("tiny.gguf", std::fs::read(MODEL).unwrap());
    let options = LoadOptions { device, context: Some(256), kv: KvType::F32, ..LoadOptions::default() };
    block_on(Engine::load(Origin { files: &files, store: &NoStore }, options, &mut |_| {})).unwrap()
}

/// At most so many more.
fn limit(max_tokens: u32) -> GenerateOptions {
    GenerateOptions { max_tokens: Some(max_tokens), ..GenerateOptions::default() }
}

fn generate(engine: &mut Engine, prompt: &[u32], max_tokens: u32) -> Answer {
    block_on(engine.generate(prompt, &limit(max_tokens), &StopFlag::default(), &mut |_| {})).unwrap()
}

/// Two prompts that begin with the same 12 ids.
fn prompts() -> [Vec<u32>; 2] {
    let one: Vec<u32> = (0..60).map(|i| 30 + i * 7 % 200).collect();
    let other = one.iter().take(12).copied().chain((0..50).map(|i| 40 + i * 11 % 190)).collect();
    [one, other]
}

/// Asks, and lets go of the answer at a breath of the loop.
fn let_go(engine: &mut Engine, prompt: &[u32], at_breath: usize) {
    let (breaths, hangs) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(false)));
    let hung = hangs.clone();
    let stop = StopFlag::with_breath(Rc::new(move || {
        breaths.set(breaths.get() + 1);
        hangs.set(breaths.get() == at_breath);
        if hangs.get() { Box::pin(pending()) } else { Box::pin(async {}) }
    }));
    let (options, mut on_event) = (limit(40), |_| {});
    let mut answer = pin!(engine.generate(prompt, &options, &stop, &mut on_event));
    block_on(poll_fn(|context| match answer.as_mut().poll(context) {
        Poll::Ready(answer) => panic!("not let go of: {answer:?}"),
        Poll::Pending if hung.get() => Poll::Ready(()),
        Poll::Pending => Poll::Pending,
    }));
}

/// What a device says to each of the prompts if it knows nothing.
fn unasked(device: Device) -> [Vec<u32>; 2] {
    prompts().map(|prompt| generate(&mut load(device), &prompt, 8).ids)
}

#[test]
fn what_may_have_no_answer_is_not_taken_for_read() {
    let [one, other] = prompts();
    for device in DEVICES {
        let mut engine = load(device);
        generate(&mut engine, &one, 8);
        let none = generate(&mut engine, &other, 0);
        assert_eq!((none.reason, none.ids.len()), (FinishReason::MaxTokens, 0), "{device:?}");
        let answer = generate(&mut engine, &other, 8);
        let [_, expected] = unasked(device);
        assert_eq!((answer.ids, answer.usage.reused_tokens), (expected, 12), "{device:?}");
    }
}

/// While the prompt is read, and while tokens come: what was there before and is overwritten is not believed.
#[test]
fn an_answer_that_is_let_go_of_leaves_what_it_had_not_touched() {
    let [one, other] = prompts();
    for device in [Device::Gpu(TierChoice::Plain), Device::Cpu, Device::Reference] {
        let (expected, mut engine) = (unasked(device), load(device));
        for at_breath in [1, 12] {
            generate(&mut engine, &one, 8);
            for (prompt, expected) in [&one, &other].into_iter().zip(&expected) {
                let_go(&mut engine, &other, at_breath);
                let answer = generate(&mut engine, prompt, 8);
                assert_eq!((&answer.ids, answer.usage.reused_tokens), (expected, 12), "{device:?}");
            }
        }
    }
}
