//! A smaller model that guesses: what it costs to have it read, what happens when it fails, and whether it can be stopped.

#![allow(clippy::unwrap_used, reason = "A test that cannot go on says so by panicking.")]

mod thread;

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use engine::{Answer, Device, Engine, GenerateEvent, LoadOptions, Origin, Speculate, StopFlag};
use pollster::block_on;
use protocol::{FinishReason, GenerateOptions};
use store::{MemoryFiles, NoStore};
use thread::Thread;

const MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/gguf/tiny-basic-quants.gguf");

fn at_once(_order: &[u8]) {}

fn a_while(_order: &[u8]) {
    std::thread::sleep(Duration::from_millis(3));
}

/// Steps of a prompt take much longer than those of a few tokens, whose streams of 256 floats each are short.
fn long_over_prompts(order: &[u8]) {
    std::thread::sleep(Duration::from_millis(if order.len() > 9 * 4 * 256 { 40 } else { 0 }));
}

fn load() -> Engine {
    let files = MemoryFiles::single("tiny.gguf", std::fs::read(MODEL).unwrap());
    let options = LoadOptions { device: Device::Cpu, context: Some(256), ..LoadOptions::default() };
    block_on(Engine::load(Origin { files: &files, store: &NoStore }, options, &mut |_| {})).unwrap()
}

/// The model, and a draft that is the same, half of each on a thread.
fn assisted(engine: Box<Thread>, draft: Box<Thread>) -> Engine {
    let [mut whole, mut small] = [load(), load()];
    block_on(whole.share(engine)).unwrap();
    block_on(small.share(draft)).unwrap();
    whole.assist_by(small).unwrap();
    whole
}

fn prompt() -> Vec<u32> {
    (0..190).map(|i| 30 + i * 7 % 200).collect()
}

fn generate(engine: &mut Engine, stop: &StopFlag, on_event: &mut dyn FnMut(GenerateEvent)) -> Answer {
    let options = GenerateOptions { max_tokens: Some(24), ..GenerateOptions::default() };
    block_on(engine.generate(&prompt(), &options, stop, on_event)).unwrap()
}

/// A draft that guesses right and at once gains time, however long it takes to read what came before.
#[test]
fn what_a_draft_has_to_read_first_is_not_the_price_of_a_guess() {
    let [whole, small] =
        [a_while as fn(&[u8]), long_over_prompts].map(|takes| Thread::start(usize::MAX, takes));
    let mut engine = assisted(whole, small);
    let answer = generate(&mut engine, &StopFlag::default(), &mut |_| {});
    // A single guess brings three.
    assert!(answer.usage.guessed_tokens > 3, "{:?}", answer.usage);
}

/// While its layers are handed over nobody guesses yet; then while it reads, and while it guesses.
#[test]
fn a_draft_that_fails_takes_nothing_with_it() {
    let expected = generate(&mut load(), &StopFlag::default(), &mut |_| {});
    for orders in [6, 14, 22, 30] {
        let [whole, small] = [usize::MAX, orders].map(|orders| Thread::start(orders, at_once));
        let mut engine = assisted(whole, small);
        engine.speculate(Speculate::Always);
        for _ in 0..2 {
            let answer = generate(&mut engine, &StopFlag::default(), &mut |_| {});
            assert_eq!((answer.ids, answer.reason), (expected.ids.clone(), expected.reason), "{orders}");
        }
    }
}

/// Between two tokens of the model itself the loop takes one breath; whoever takes more there is the draft.
#[test]
fn stop_is_heard_while_a_draft_reads() {
    let [whole, small] = [at_once; 2].map(|takes| Thread::start(usize::MAX, takes));
    let mut engine = assisted(whole, small);
    engine.speculate(Speculate::Always);
    let (tokens, breaths) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    let (told, taken) = (tokens.clone(), breaths.clone());
    let stop = Rc::new(Cell::new(None::<StopFlag>));
    let flag = stop.clone();
    let breathing = StopFlag::with_breath(Rc::new(move || {
        taken.set(taken.get() + 1);
        if told.get() > 0
            && taken.get() > 1
            && let Some(stop) = flag.take()
        {
            stop.stop();
        }
        Box::pin(async {})
    }));
    stop.set(Some(breathing.clone()));
    let answer = generate(&mut engine, &breathing, &mut |event| {
        if matches!(event, GenerateEvent::Text { .. }) {
            tokens.set(tokens.get() + 1);
            breaths.set(0);
        }
    });
    assert_eq!(answer.reason, FinishReason::Stopped);
    assert!(answer.ids.len() < 4, "{} tokens", answer.ids.len());
}
