//! The browser, as far as the page asks it for something outside its own elements.
//!
//! Each function answers with a plain value and leaves things as they are where the browser refuses:
//! none of them is worth an error to the person.

use serde::Serialize;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{Document, Element, File, FileList, HtmlElement, HtmlMetaElement, Window};

use crate::advice::PageContext;
use crate::route::Route;
use crate::theme::Theme;

/// Without the meta tag that `xtask` writes, the worker's loader stands beside the page.
const WORKER_LOADER: &str = "./worker_loader.js";

fn document() -> Option<Document> {
    web_sys::window()?.document()
}

/// The element with this `id`.
pub(crate) fn element_by_id(id: &str) -> Option<Element> {
    document()?.get_element_by_id(id)
}

/// Sends panics to the console and marks the page, so that the style sheet can say that it has stopped.
pub(crate) fn report_panics() {
    yew::set_custom_panic_hook(Box::new(|info| {
        web_sys::console::error_1(&JsValue::from_str(&info.to_string()));
        set_root_attribute("data-panicked", "");
    }));
}

fn set_root_attribute(name: &str, value: &str) {
    if let Some(root) = document().and_then(|document| document.document_element()) {
        // Only a malformed attribute name could fail, and ours are constants.
        let _ = root.set_attribute(name, value);
    }
}

/// How the page was opened.
pub(crate) fn page_context() -> PageContext {
    match web_sys::window().is_some_and(|window| window.is_secure_context()) {
        true => PageContext::Secure,
        false => PageContext::Insecure,
    }
}

/// Where the worker's loader is, relative to the page.
pub(crate) fn worker_url() -> String {
    let meta =
        document().and_then(|document| document.query_selector("meta[name=pronk-worker]").ok().flatten());
    meta.and_then(|meta| meta.dyn_into::<HtmlMetaElement>().ok())
        .map(|meta| meta.content())
        .filter(|url| !url.is_empty())
        .unwrap_or_else(|| WORKER_LOADER.to_owned())
}

/// The theme chosen on an earlier visit.
pub(crate) fn remembered_theme() -> Theme {
    let storage = web_sys::window().and_then(|window| window.local_storage().ok().flatten());
    let name = storage.and_then(|storage| storage.get_item(Theme::KEY).ok().flatten());
    Theme::from_name(&name.unwrap_or_default())
}

/// Shows a theme and remembers it.
pub(crate) fn apply_theme(theme: Theme) {
    set_root_attribute("data-theme", theme.name());
    if let Some(storage) = web_sys::window().and_then(|window| window.local_storage().ok().flatten()) {
        // A full or forbidden storage only means that the theme is chosen anew next time.
        let _ = storage.set_item(Theme::KEY, theme.name());
    }
}

/// The view that the page's address asks for.
pub(crate) fn route() -> Route {
    let hash = web_sys::window().and_then(|window| window.location().hash().ok());
    Route::from_hash(&hash.unwrap_or_default())
}

/// Makes the page's address that of a view, as a step that the Back button takes back.
pub(crate) fn show_route(shown: Route) {
    if let Some(window) = web_sys::window().filter(|_| route() != shown) {
        // An address that stays as it is only says less.
        let _ = window.location().set_hash(shown.hash());
    }
}

/// A value as JSON, indented; empty where that cannot be, for a mistake of ours.
pub(crate) fn json(value: &impl Serialize) -> String {
    let value = value.serialize(&serde_wasm_bindgen::Serializer::json_compatible());
    let indent = JsValue::from(2);
    let text = value.ok().and_then(|value| {
        web_sys::js_sys::JSON::stringify_with_replacer_and_space(&value, &JsValue::NULL, &indent).ok()
    });
    text.map(String::from).unwrap_or_default()
}

/// Puts `text` on the clipboard, and calls `done` once it is there.
/// Pages that are not secure have no clipboard, and a person may have forbidden it.
pub(crate) fn copy(text: &str, done: impl FnOnce() + 'static) {
    let Some(window) = web_sys::window().filter(Window::is_secure_context) else { return };
    let written = window.navigator().clipboard().write_text(text);
    wasm_bindgen_futures::spawn_local(async move {
        if JsFuture::from(written).await.is_ok() {
            done();
        }
    });
}

/// The files of a browser's list.
pub(crate) fn listed(list: Option<FileList>) -> Vec<File> {
    list.iter().flat_map(|list| (0..list.length()).filter_map(|index| list.get(index))).collect()
}

/// Puts the caret into the element, unless the person is at another one, or on a device where that
/// would push up a keyboard.
pub(crate) fn focus_where_free(id: &str) {
    let (Some(window), Some(document)) = (web_sys::window(), document()) else { return };
    let by_touch =
        window.match_media("(pointer: coarse)").ok().flatten().is_some_and(|query| query.matches());
    let at_other_element =
        document.active_element().is_some_and(|active| active.tag_name() != "BODY" && active.id() != id);
    if !by_touch && !at_other_element {
        focus(id);
    }
}

/// Puts the caret into the element.
pub(crate) fn focus(id: &str) {
    if let Some(element) = element_by_id(id).and_then(|element| element.dyn_into::<HtmlElement>().ok()) {
        // An element that cannot take the focus leaves it where it was.
        let _ = element.focus();
    }
}
