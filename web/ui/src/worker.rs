//! The line to the worker: requests out, events in, at most one delivery per animation frame.
//!
//! A request travels as `{ request, files? }`, an event as itself, both through serde.
//! The worker speaks first; what is posted before its `Ready` would be lost.
//! Events wait in a queue for the next frame, so that however fast the model writes, the page renders once a frame.
//! A hidden tab has no frames, so a timer delivers there.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use gloo_events::EventListener;
use gloo_timers::callback::Timeout;
use protocol::{Event, Request};
use serde::Serialize;
use wasm_bindgen::JsCast;
use wasm_bindgen::JsValue;
use wasm_bindgen::closure::Closure;
use web_sys::{ErrorEvent, File, MessageEvent, WorkerOptions, WorkerType};
use yew::Callback;

use crate::state::Action;

/// How long a hidden tab's events wait.
const HIDDEN_DELIVERY_MS: u32 = 250;

/// A worker that runs until this is dropped.
pub(crate) struct Worker {
    worker: web_sys::Worker,
    queue: Rc<Queue>,
    _listeners: [EventListener; 3],
}

impl Worker {
    /// Starts the worker at `url`. All that it says, and its death, comes to `act`.
    pub(crate) fn start(url: &str, act: Callback<Action>) -> Result<Worker, String> {
        let options = WorkerOptions::new();
        options.set_type(WorkerType::Module);
        let worker = web_sys::Worker::new_with_options(url, &options)
            .map_err(|error| format!("The engine could not be started: {error:?}."))?;
        let queue = Rc::new(Queue { act, events: RefCell::default(), closed: Cell::new(false) });
        let listeners = [
            listener(&worker, "message", &queue, Queue::hear),
            listener(&worker, "messageerror", &queue, |queue, _| {
                queue.crashed("The engine sent something that the page could not read.".to_owned());
            }),
            listener(&worker, "error", &queue, |queue, event| {
                queue.crashed(error_message(event));
            }),
        ];
        Ok(Worker { worker, queue, _listeners: listeners })
    }

    /// Posts a request; `files` are what `ModelSource::File` stands for.
    pub(crate) fn post(&self, request: &Request, files: &[File]) -> Result<(), String> {
        #[derive(Serialize)]
        struct Post<'a> {
            request: &'a Request,
            #[serde(with = "serde_wasm_bindgen::preserve")]
            files: JsValue,
        }
        let files: web_sys::js_sys::Array = files.iter().collect();
        let post = Post { request, files: files.into() };
        let message = post
            .serialize(&serde_wasm_bindgen::Serializer::json_compatible())
            .map_err(|error| format!("The request could not be written: {error}."))?;
        self.worker
            .post_message(&message)
            .map_err(|error| format!("The request could not be sent to the engine: {error:?}."))
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.queue.closed.set(true);
        self.worker.terminate();
    }
}

fn listener(
    worker: &web_sys::Worker,
    name: &'static str,
    queue: &Rc<Queue>,
    react: fn(&Rc<Queue>, &web_sys::Event),
) -> EventListener {
    let queue = queue.clone();
    EventListener::new(worker, name, move |event| react(&queue, event))
}

/// Browsers give no message when the worker's script itself could not be loaded.
fn error_message(event: &web_sys::Event) -> String {
    let message = event.dyn_ref::<ErrorEvent>().map(ErrorEvent::message).unwrap_or_default();
    if message.is_empty() {
        "The engine’s script could not be loaded. Check the connection and restart.".to_owned()
    } else {
        format!("The engine stopped with this message: {message}")
    }
}

struct Queue {
    act: Callback<Action>,
    events: RefCell<Vec<Event>>,
    closed: Cell<bool>,
}

impl Queue {
    fn hear(self: &Rc<Self>, event: &web_sys::Event) {
        let data = event.dyn_ref::<MessageEvent>().map_or(JsValue::UNDEFINED, MessageEvent::data);
        match serde_wasm_bindgen::from_value(data) {
            Ok(event) => self.push(event),
            Err(error) => self.crashed(format!(
                "The page and its engine are of different versions; reload the page. (The engine’s message was not understood: {error}.)"
            )),
        }
    }

    fn push(self: &Rc<Self>, event: Event) {
        let first = self.events.borrow().is_empty();
        self.events.borrow_mut().push(event);
        if first {
            self.deliver_soon();
        }
    }

    /// With the next frame or, where none comes, after a while. Whichever is second finds nothing to do.
    fn deliver_soon(self: &Rc<Self>) {
        let (at_frame, after_while) = (self.clone(), self.clone());
        let on_frame = Closure::once_into_js(move || at_frame.deliver());
        let frame = web_sys::window().map(|window| window.request_animation_frame(on_frame.unchecked_ref()));
        if !matches!(frame, Some(Ok(_))) {
            return self.deliver();
        }
        Timeout::new(HIDDEN_DELIVERY_MS, move || after_while.deliver()).forget();
    }

    fn deliver(&self) {
        let events = self.events.take();
        if !events.is_empty() && !self.closed.get() {
            self.act.emit(Action::Events(events));
        }
    }

    fn crashed(&self, message: String) {
        self.deliver();
        if !self.closed.get() {
            self.act.emit(Action::WorkerCrashed(message));
        }
    }
}
