//! A second worker, which computes half of the layers where the processor computes: the same script under another name.
//!
//! Orders and answers are arrays of bytes, handed over and not copied. It speaks first, with an empty one, as the worker
//! does to the page: what is posted before its module has loaded is lost.
//!
//! Firefox gets none. There (ESR 153) three of some 150 tests waited for an answer in vain, without an error, wherever a
//! deputy could be; none has without. Which message is lost, and why, nobody knows.

use std::cell::RefCell;
use std::rc::Rc;

use engine::{Deputy, Line, LineAnswer};
use futures_channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use futures_util::StreamExt;
use futures_util::future::{Either, select};
use gloo_timers::future::TimeoutFuture;
use js_sys::{Array, Uint8Array};
use wasm_bindgen::prelude::*;
use web_sys::{ErrorEvent, Event, MessageEvent, Worker};

use crate::port::{is_firefox, scope};

/// The name by which the script knows what it is.
const NAME: &str = "deputy";

#[wasm_bindgen(module = "/src/start_deputy.js")]
extern "C" {
    /// Starts this script once more, under a name.
    #[wasm_bindgen(js_name = startDeputy, catch)]
    fn start_deputy(name: &str) -> Result<Worker, JsValue>;
}

/// Processors that a deputy needs: one for it, and one for who appoints it.
const PROCESSORS: f64 = 2.0;

/// How long an order may take. A step of a prompt takes a part of a second.
const PATIENCE_MS: u32 = 60_000;

/// Whether this worker is one.
pub(crate) fn is_this() -> bool {
    scope().name() == NAME
}

/// Obeys for as long as the worker lives. What goes wrong is thrown, and so heard by who appointed it.
pub(crate) fn serve() {
    let deputy = RefCell::new(Deputy::default());
    let on_message = Closure::<dyn FnMut(MessageEvent)>::new(move |message: MessageEvent| {
        match deputy.borrow_mut().obey(&Uint8Array::new(&message.data()).to_vec()) {
            Ok(answer) => post(&answer),
            Err(error) => wasm_bindgen::throw_str(&error.to_string()),
        }
    });
    scope().set_onmessage(Some(on_message.as_ref().unchecked_ref()));
    on_message.forget();
    post(&[]);
}

fn post(answer: &[u8]) {
    let bytes = Uint8Array::from(answer);
    if let Err(error) = scope().post_message_with_transfer(&bytes, &Array::of1(&bytes.buffer())) {
        wasm_bindgen::throw_val(error);
    }
}

/// A deputy that was asked for: the line to it, once it has spoken.
#[derive(Clone, Default)]
pub(crate) struct Asked(Rc<RefCell<Option<Box<dyn Line>>>>);

impl Asked {
    /// Asks for one, where there is a processor for it. A model computes without one just as well, so nothing is said if
    /// none comes.
    pub(crate) fn ask() -> Asked {
        let asked = Asked::default();
        if scope().navigator().hardware_concurrency() >= PROCESSORS && !is_firefox() {
            let kept = asked.clone();
            wasm_bindgen_futures::spawn_local(async move {
                let Ok(mut line) = ToWorker::start() else { return };
                // Its first word.
                if line.answers.next().await.is_some_and(|word| word.is_ok()) {
                    *kept.0.borrow_mut() = Some(Box::new(line));
                }
            });
        }
        asked
    }

    /// The line, if it is there and nobody has taken it.
    pub(crate) fn take(&self) -> Option<Box<dyn Line>> {
        self.0.borrow_mut().take()
    }
}

type Word = Result<Vec<u8>, String>;

/// The line to a worker that lives until this is dropped.
struct ToWorker {
    worker: Worker,
    answers: UnboundedReceiver<Word>,
    said: UnboundedSender<Word>,
    _on_message: Closure<dyn FnMut(MessageEvent)>,
    _on_error: Closure<dyn FnMut(Event)>,
}

impl ToWorker {
    fn start() -> Result<ToWorker, JsValue> {
        let worker = start_deputy(NAME)?;
        let (said, answers) = unbounded();
        // Whoever is not listened to any more may say what it likes.
        let say = |said: &UnboundedSender<Word>, word| drop(said.unbounded_send(word));
        let (answered, failed) = (said.clone(), said.clone());
        let on_message = Closure::<dyn FnMut(MessageEvent)>::new(move |message: MessageEvent| {
            say(&answered, Ok(Uint8Array::new(&message.data()).to_vec()));
        });
        let on_error = Closure::<dyn FnMut(Event)>::new(move |event: Event| {
            event.prevent_default();
            // A script that could not be fetched comes without a message.
            let message =
                event.dyn_ref().map_or_else(|| "it could not be started".to_owned(), ErrorEvent::message);
            say(&failed, Err(message));
        });
        worker.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
        worker.set_onerror(Some(on_error.as_ref().unchecked_ref()));
        Ok(ToWorker { worker, answers, said, _on_message: on_message, _on_error: on_error })
    }
}

impl Line for ToWorker {
    fn send(&mut self, order: Vec<u8>) {
        let bytes = Uint8Array::from(order.as_slice());
        let sent = self.worker.post_message_with_transfer(&bytes, &Array::of1(&bytes.buffer()));
        if let Err(error) = sent {
            drop(self.said.unbounded_send(Err(format!("{error:?}"))));
        }
    }

    fn answer(&mut self) -> LineAnswer<'_> {
        Box::pin(async {
            match select(self.answers.next(), TimeoutFuture::new(PATIENCE_MS)).await {
                Either::Left((Some(answer), _)) => answer,
                Either::Left((None, _)) => Err("it is gone".to_owned()),
                Either::Right(_) => Err(format!("it gave no answer in {} s", PATIENCE_MS / 1000)),
            }
        })
    }
}

impl Drop for ToWorker {
    fn drop(&mut self) {
        self.worker.terminate();
    }
}
