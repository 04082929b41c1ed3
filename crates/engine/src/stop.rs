//! A request to stop, from whoever holds a copy.

use std::cell::Cell;
use std::rc::Rc;

/// Set by the one who wants to stop, looked at by the loop between two tokens. Copies share the flag.
#[derive(Clone, Debug, Default)]
pub struct StopFlag(Rc<Cell<bool>>);

impl StopFlag {
    /// Asks the loop to end.
    pub fn stop(&self) {
        self.0.set(true);
    }

    /// Whether it has been asked to.
    pub fn is_set(&self) -> bool {
        self.0.get()
    }
}
