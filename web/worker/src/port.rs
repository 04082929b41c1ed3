//! The line to the page: requests in, events out, both through serde.

use std::collections::BTreeMap;

use futures_channel::mpsc::{UnboundedReceiver, unbounded};
use js_sys::Promise;
use protocol::{Event, Failure, FailureKind, Request};
use serde::{Deserialize, Serialize};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{DedicatedWorkerGlobalScope, File, MessageChannel, MessageEvent};

/// A request, and the files that go with it.
#[derive(Debug)]
pub(crate) struct Letter {
    pub(crate) request: Request,
    pub(crate) files: Vec<File>,
    /// What hearing it gave.
    pub(crate) heard: u32,
}

#[derive(Deserialize)]
struct Post {
    request: Request,
    #[serde(default, with = "serde_wasm_bindgen::preserve")]
    files: JsValue,
}

/// The worker's global object.
pub(crate) fn scope() -> DedicatedWorkerGlobalScope {
    js_sys::global().unchecked_into()
}

/// The browser as it names itself.
pub(crate) fn user_agent() -> Option<String> {
    let scope = js_sys::global().dyn_into::<DedicatedWorkerGlobalScope>().ok()?;
    scope.navigator().user_agent().ok()
}

/// Whether it is Firefox, by what it says of itself.
pub(crate) fn is_firefox() -> bool {
    user_agent().is_some_and(|browser| browser.contains("Firefox"))
}

/// Shows the WASM heap to whoever measures it: as `pronkMemory` of the worker's global object.
pub(crate) fn show_memory() {
    // If it cannot be shown it cannot be measured, which is all.
    drop(js_sys::Reflect::set(&scope(), &JsValue::from("pronkMemory"), &wasm_bindgen::memory()));
}

/// Tells the page. An event that cannot be told is a mistake of ours and shows in the console.
pub(crate) fn tell(event: &Event) {
    let told = event
        .serialize(&serde_wasm_bindgen::Serializer::json_compatible())
        .map_err(JsValue::from)
        .and_then(|event| scope().post_message(&event));
    if let Err(error) = told {
        wasm_bindgen::throw_val(error);
    }
}

/// Letters from now on. `hear` sees each as it comes, even while an earlier one is being worked on.
pub(crate) fn letters(hear: impl Fn(&Request) -> u32 + 'static) -> UnboundedReceiver<Letter> {
    let (sender, receiver) = unbounded();
    let on_message = Closure::<dyn FnMut(MessageEvent)>::new(move |message: MessageEvent| {
        let post: Post = match serde_wasm_bindgen::from_value(message.data()) {
            Ok(post) => post,
            Err(error) => return tell(&refusal(message.data(), &error.to_string())),
        };
        let heard = hear(&post.request);
        // Most requests come without.
        let files = match post.files.is_object() {
            true => js_sys::Array::from(&post.files),
            false => js_sys::Array::new(),
        };
        let files = files.iter().filter_map(|file| file.dyn_into().ok()).collect();
        let letter = Letter { request: post.request, files, heard };
        // The receiver lives as long as the worker.
        drop(sender.unbounded_send(letter));
    });
    scope().set_onmessage(Some(on_message.as_ref().unchecked_ref()));
    on_message.forget();
    receiver
}

/// The answer to what is no request: whoever asked waits for one, and the worker hears the next all the same.
fn refusal(post: JsValue, found: &str) -> Event {
    #[derive(Deserialize)]
    struct Asked {
        request: BTreeMap<String, Numbered>,
    }
    #[derive(Deserialize)]
    struct Numbered {
        turn: u32,
    }
    let asked: Option<Asked> = serde_wasm_bindgen::from_value(post).ok();
    let turn = asked.and_then(|Asked { request }| request.into_values().next()).map(|Numbered { turn }| turn);
    let message =
        format!("The engine was asked for something that it does not know ({found}); reload the page.");
    Event::Failed { turn, failure: Failure { kind: FailureKind::Internal, message } }
}

/// Lets letters that have come be heard. A message to itself, since a timer may take milliseconds.
pub(crate) async fn breathe() {
    // Without a channel there is no breath: letters are then heard when the answer has ended.
    let Ok(channel) = MessageChannel::new() else { return };
    let (here, there) = (channel.port1(), channel.port2());
    let message = Promise::new(&mut |resolve, _| {
        here.set_onmessage(Some(&resolve));
        // A message that can't be sent ends the wait at once.
        if there.post_message(&JsValue::NULL).is_err() {
            drop(resolve.call0(&JsValue::NULL));
        }
    });
    drop(JsFuture::from(message).await);
    here.close();
}
