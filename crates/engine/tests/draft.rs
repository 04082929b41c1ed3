//! A smaller model that guesses: what it costs to have it read, what happens when it fails, and whether it can be stopped.

#![allow(clippy::unwrap_used, reason = "A test that cannot go on says so by panicking.")]

use std::cell::Cell;
use std::rc::Rc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use engine::{
    Answer, Deputy, Device, Engine, GenerateEvent, Line, LineAnswer, LoadOptions, Origin, Speculate, StopFlag,
};
use pollster::block_on;
use protocol::{FinishReason, GenerateOptions};
use store::{MemoryFiles, NoStore};

const MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/gguf/tiny-basic-quants.gguf");

/// Half of a model's layers on a thread, which takes its time.
struct Thread {
    orders: Sender<Vec<u8>>,
    answers: Receiver<Vec<u8>>,
}

impl Thread {
    /// Takes as long over an order as is said of its bytes, and goes away after so many.
    fn start(orders_to_obey: usize, takes: fn(&[u8]) -> Duration) -> Box<Thread> {
        let ((orders, from), (to, answers)) = (channel::<Vec<u8>>(), channel());
        thread::spawn(move || {
            let mut deputy = Deputy::default();
            for order in from.iter().take(orders_to_obey) {
                thread::sleep(takes(&order));
                drop(to.send(deputy.obey(&order).unwrap()));
            }
        });
        Box::new(Thread { orders, answers })
    }
}

impl Line for Thread {
    fn send(&mut self, order: Vec<u8>) {
        drop(self.orders.send(order));
    }

    fn answer(&mut self) -> LineAnswer<'_> {
        let answer = self.answers.recv().map_err(|_| "the thread has ended".to_string());
        Box::pin(async { answer })
    }
}

fn at_once(_order: &[u8]) -> Duration {
    Duration::ZERO
}

fn a_while(_order: &[u8]) -> Duration {
    Duration::from_millis(3)
}

/// Steps of a prompt take much longer than those of a few tokens, whose streams of 256 floats each are short.
fn long_over_prompts(order: &[u8]) -> Duration {
    Duration::from_millis(if order.len() > 9 * 4 * 256 { 40 } else { 0 })
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
    let [whole, small] = [a_while, long_over_prompts].map(|takes| Thread::start(usize::MAX, takes));
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
