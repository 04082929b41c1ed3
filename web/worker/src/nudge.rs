//! Firefox, which looks only every 100 ms by itself whether a GPU has answered.

use std::rc::Rc;

use engine::Pause;
use gloo_timers::future::TimeoutFuture;

use crate::port::is_firefox;

/// As short as timers that follow each other can be.
const PAUSE_MS: u32 = 4;

/// What has to pass between two nudges; none for a browser that needs no nudges.
pub(crate) fn pause() -> Option<Pause> {
    is_firefox().then(pauses)
}

/// A few milliseconds, again and again.
pub(crate) fn pauses() -> Pause {
    Rc::new(|| Box::pin(TimeoutFuture::new(PAUSE_MS)))
}
