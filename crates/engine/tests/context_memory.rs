//! A context that grows until there is no memory for it: a sentence, and whoever starts anew is answered.

#![allow(clippy::unwrap_used, reason = "A test that cannot go on says so by panicking.")]
#![expect(unsafe_code, reason = "a global allocator that fails can't be written without")]

mod thread;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicU8, Ordering};

use engine::{Answer, Device, Engine, EngineError, GenerateEvent, LoadOptions, Origin, StopFlag};
use pollster::block_on;
use protocol::{FailureKind, GenerateOptions};
use store::{MemoryFiles, NoStore};
use thread::Thread;

const MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/gguf/tiny-basic-quants.gguf");

/// What the keys or the values of 64 tokens take in a layer: 2 heads of 64 floats. Nothing else of a step of one token is as
/// large.
const BLOCK_BYTES: usize = 64 * 2 * 64 * 4;

/// Who is given no memory of that size.
static POOR: AtomicU8 = AtomicU8::new(NOBODY);
const NOBODY: u8 = 0;
const ALL: u8 = 1;
const DEPUTIES: u8 = 2;

thread_local! {
    static IS_DEPUTY: Cell<bool> = const { Cell::new(false) };
}

struct Failing;

// SAFETY: hands every call on to `System` unchanged, or gives no memory, which callers have to expect.
unsafe impl GlobalAlloc for Failing {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let is_poor = match POOR.load(Ordering::Relaxed) {
            NOBODY => false,
            DEPUTIES => IS_DEPUTY.try_with(Cell::get).unwrap_or(false),
            _ => true,
        };
        if is_poor && layout.size() >= BLOCK_BYTES {
            return null_mut();
        }
        // SAFETY: the caller keeps `System`'s contract, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Failing = Failing;

fn load() -> Engine {
    let files = MemoryFiles::single("tiny.gguf", std::fs::read(MODEL).unwrap());
    let options = LoadOptions { device: Device::Cpu, context: Some(256), ..LoadOptions::default() };
    block_on(Engine::load(Origin { files: &files, store: &NoStore }, options, &mut |_| {})).unwrap()
}

/// Answers a prompt of 20 tokens, and is poor from the first token on.
fn generate(engine: &mut Engine, max_tokens: u32, poor: u8) -> Result<Answer, EngineError> {
    let prompt: Vec<u32> = (0..20).map(|i| 30 + i * 7 % 200).collect();
    let options = GenerateOptions { max_tokens: Some(max_tokens), ..GenerateOptions::default() };
    let on_event = &mut |event| {
        if matches!(event, GenerateEvent::Text { .. }) {
            POOR.store(poor, Ordering::Relaxed);
        }
    };
    let answer = block_on(engine.generate(&prompt, &options, &StopFlag::default(), on_event));
    POOR.store(NOBODY, Ordering::Relaxed);
    answer
}

/// One test, since the allocator serves all.
#[test]
fn a_context_without_memory_ends_the_answer_and_nothing_else() {
    let expected = generate(&mut load(), 20, NOBODY).unwrap().ids;
    for (is_shared, poor) in [(false, ALL), (true, ALL), (true, DEPUTIES)] {
        let mut engine = load();
        if is_shared {
            block_on(engine.share(Thread::start(usize::MAX, |_| IS_DEPUTY.set(true)))).unwrap();
        }
        for _ in 0..2 {
            let failure = generate(&mut engine, 100, poor).unwrap_err().failure();
            assert_eq!(failure.kind, FailureKind::OutOfMemory, "{}", failure.message);
            assert_eq!(
                failure.message,
                "There is not enough memory for the keys and values of more than 64 tokens: 64 KiB more are needed \
                 in each layer; start a new chat, close other tabs and programs, or load a smaller model."
            );
            assert_eq!(generate(&mut engine, 20, poor).unwrap().ids, expected);
        }
        // Once there is memory again, there is a context.
        assert_eq!(generate(&mut engine, 100, NOBODY).unwrap().ids.len(), 100);
    }
}
