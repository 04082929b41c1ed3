//! Firefox, which looks only every 100 ms by itself whether a GPU has answered.

use std::rc::Rc;

use engine::Pause;
use gloo_timers::future::TimeoutFuture;
use wasm_bindgen::JsCast;
use web_sys::DedicatedWorkerGlobalScope;

/// As short as timers that follow each other can be.
const PAUSE_MS: u32 = 4;

/// What has to pass between two nudges; none for a browser that needs no nudges.
pub(crate) fn pause() -> Option<Pause> {
    let scope = js_sys::global().dyn_into::<DedicatedWorkerGlobalScope>().ok()?;
    let name = scope.navigator().user_agent().ok()?;
    name.contains("Firefox").then(|| -> Pause { Rc::new(|| Box::pin(TimeoutFuture::new(PAUSE_MS))) })
}
