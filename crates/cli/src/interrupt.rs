//! Ctrl-C: while an answer is made it stops the answer; otherwise, or a second time, it ends the program.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use anyhow::{Context, Result};

use crate::output::tell;

/// Nothing to stop.
const IDLE: u8 = 0;
/// An answer is being made.
const ARMED: u8 = 1;
/// It is asked to stop.
const CAME: u8 = 2;

/// What a shell expects of a program that Ctrl-C has ended: 128 and the signal's number.
const EXIT_CODE: i32 = 130;

/// Listens for Ctrl-C on a thread of its own, as long as the program runs.
pub(crate) struct Interrupt(Arc<AtomicU8>);

impl Interrupt {
    pub(crate) fn listen() -> Result<Interrupt> {
        let state = Arc::new(AtomicU8::new(IDLE));
        let heard = Arc::clone(&state);
        let on_interrupt = move || {
            if heard.compare_exchange(ARMED, CAME, Ordering::Relaxed, Ordering::Relaxed).is_err() {
                tell("");
                std::process::exit(EXIT_CODE);
            }
        };
        ctrlc::set_handler(on_interrupt).context("Ctrl-C can't be listened for")?;
        Ok(Interrupt(state))
    }

    /// From here on Ctrl-C is for the answer.
    pub(crate) fn arm(&self) {
        self.0.store(ARMED, Ordering::Relaxed);
    }

    /// From here on Ctrl-C is for the program.
    pub(crate) fn disarm(&self) {
        self.0.store(IDLE, Ordering::Relaxed);
    }

    /// Whether the answer is to stop.
    pub(crate) fn came(&self) -> bool {
        self.0.load(Ordering::Relaxed) == CAME
    }
}
