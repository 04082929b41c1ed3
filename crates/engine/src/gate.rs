//! A gate that is shut until something else is done.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::task::{Poll, Waker};

/// Open unless it was shut. One at a time may wait in front of it.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    is_shut: Cell<bool>,
    waiting: RefCell<Option<Waker>>,
}

impl Gate {
    pub(crate) fn shut(&self) {
        self.is_shut.set(true);
    }

    /// Lets whoever waits pass, and all who come after.
    pub(crate) fn open(&self) {
        self.is_shut.set(false);
        if let Some(waker) = self.waiting.take() {
            waker.wake();
        }
    }

    /// Returns once it is open.
    pub(crate) async fn passed(&self) {
        let wait = poll_fn(|context| match self.is_shut.get() {
            false => Poll::Ready(()),
            true => {
                *self.waiting.borrow_mut() = Some(context.waker().clone());
                Poll::Pending
            }
        });
        wait.await;
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::join;
    use pollster::block_on;

    use super::*;

    #[test]
    fn whoever_waits_passes_once_it_is_opened() {
        let (gate, passed) = (Gate::default(), Cell::new(false));
        let walk = async {
            gate.passed().await;
            passed.set(true);
        };
        block_on(gate.passed());
        gate.shut();
        let open = async {
            assert!(!passed.get());
            gate.open();
        };
        // The one who opens it is polled last, and nothing but the gate wakes the other.
        block_on(join(walk, open));
        assert!(passed.get());
    }
}
