//! A request to stop, from whoever holds a copy.

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

/// Lets others run for a moment: in a browser, messages are heard between two tasks only.
pub type Breath = Rc<dyn Fn() -> Pin<Box<dyn Future<Output = ()>>>>;

/// Set by the one who wants to stop, looked at by the loop between two tokens. Copies share the flag.
#[derive(Clone, Default)]
pub struct StopFlag {
    stopped: Rc<Cell<bool>>,
    breath: Option<Breath>,
}

impl StopFlag {
    /// One that can be set only while the loop lets others run. Where the GPU computes it does so whenever it waits;
    /// where the CPU does, it never waits, and takes a breath between two steps instead.
    pub fn with_breath(breath: Breath) -> StopFlag {
        StopFlag { breath: Some(breath), ..StopFlag::default() }
    }

    /// Asks the loop to end.
    pub fn stop(&self) {
        self.stopped.set(true);
    }

    /// Whether it has been asked to.
    pub fn is_set(&self) -> bool {
        self.stopped.get()
    }

    /// Lets whoever may want to stop say so.
    pub(crate) async fn breathe(&self) {
        if let Some(breath) = &self.breath {
            breath().await;
        }
    }
}

impl fmt::Debug for StopFlag {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.debug_tuple("StopFlag").field(&self.is_set()).finish()
    }
}
