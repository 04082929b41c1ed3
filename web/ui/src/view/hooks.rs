//! What ties the state to the browser: the worker, the theme, the address, the keyboard, dropped files, the focus.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use gloo_events::{EventListener, EventListenerOptions};
use protocol::{ModelSource, Request};
use wasm_bindgen::JsCast;
use web_sys::{DragEvent, File, KeyboardEvent};
use yew::{Callback, hook, use_effect_with, use_mut_ref, use_state};

use super::COMPOSER_ID;
use crate::platform;
use crate::route::Route;
use crate::state::{Action, State, WorkerPhase};
use crate::theme::Theme;
use crate::worker::Worker;

/// Runs a worker for each generation of the state, and posts what stands in the outbox.
#[hook]
pub(super) fn use_worker(state: &State, act: &Callback<Action>, picked: Rc<RefCell<Vec<File>>>) {
    let worker = use_mut_ref(|| None::<Worker>);
    {
        let (worker, act) = (worker.clone(), act.clone());
        use_effect_with(state.worker_generation, move |_| {
            // The old one ends before the new one starts: two would compete for the device.
            worker.replace(None);
            match Worker::start(&platform::worker_url(), act.clone()) {
                Ok(started) => drop(worker.replace(Some(started))),
                Err(message) => act.emit(Action::WorkerCrashed(message)),
            }
        });
    }
    let act = act.clone();
    use_effect_with(state.outbox.clone(), move |outbox| {
        let Some(last) = outbox.last() else { return };
        for outgoing in outbox {
            let picked = picked.borrow();
            let files = files_of(&outgoing.request, &picked);
            let posted = worker.borrow().as_ref().map(|worker| worker.post(&outgoing.request, files));
            if let Some(Err(message)) = posted {
                act.emit(Action::WorkerCrashed(message));
            }
        }
        act.emit(Action::Sent(last.number));
    });
}

fn files_of<'a>(request: &Request, picked: &'a [File]) -> &'a [File] {
    match request {
        Request::Load { source: ModelSource::File { .. }, .. } => picked,
        _ => &[],
    }
}

/// Shows the theme, now and whenever it changes.
#[hook]
pub(super) fn use_theme(theme: Theme) {
    use_effect_with(theme, |theme| platform::apply_theme(*theme));
}

/// Keeps the view and the page's address together, whichever of them changes.
#[hook]
pub(super) fn use_route(route: Route, act: &Callback<Action>) {
    let act = act.clone();
    use_effect_with((), move |()| {
        let listener = on_window("hashchange", move |_| act.emit(Action::Routed(platform::route())));
        move || drop(listener)
    });
    use_effect_with(route, |route| platform::show_route(*route));
}

/// Escape stops the answer or the benchmark; Ctrl+Shift+O or ⌘+Shift+O starts a new chat, as in other chat pages.
#[hook]
pub(super) fn use_shortcuts(act: &Callback<Action>) {
    let act = act.clone();
    use_effect_with((), move |()| {
        let listener = on_window("keydown", move |event| {
            let Some(event) = event.dyn_ref::<KeyboardEvent>() else { return };
            if event.key() == "Escape" && !event.is_composing() {
                act.emit(Action::Stop);
            } else if event.key().eq_ignore_ascii_case("o")
                && event.shift_key()
                && (event.ctrl_key() || event.meta_key())
            {
                event.prevent_default();
                act.emit(Action::NewChat);
            }
        });
        move || drop(listener)
    });
}

/// Gives the caret back to the composer when an answer has ended and when a model is ready.
#[hook]
pub(super) fn use_composer_focus(state: &State) {
    let ready = state.worker == WorkerPhase::Ready && state.answer.is_none() && state.blocker().is_none();
    use_effect_with((ready, state.shows_models()), |(ready, choosing)| {
        if *ready && !choosing {
            platform::focus_where_free(COMPOSER_ID);
        }
    });
}

/// Takes files dropped anywhere on the page; true while some hang over it.
#[hook]
pub(super) fn use_file_drop(open_files: Callback<Vec<File>>) -> bool {
    let dragging = use_state(|| false);
    {
        let dragging = dragging.setter();
        use_effect_with((), move |()| {
            // Entering a child is reported before leaving its parent, so that depth says whether it is still here.
            let depth = Rc::new(Cell::new(0i32));
            let enter = {
                let (depth, dragging) = (depth.clone(), dragging.clone());
                on_window("dragenter", move |event| {
                    if carries_file(event) {
                        depth.set(depth.get() + 1);
                        dragging.set(true);
                    }
                })
            };
            let over = on_window("dragover", |event| {
                if carries_file(event) {
                    event.prevent_default();
                }
            });
            let leave = {
                let (depth, dragging) = (depth.clone(), dragging.clone());
                on_window("dragleave", move |_| {
                    depth.set((depth.get() - 1).max(0));
                    if depth.get() == 0 {
                        dragging.set(false);
                    }
                })
            };
            let dropped = on_window("drop", move |event| {
                depth.set(0);
                dragging.set(false);
                let transfer = event.dyn_ref::<DragEvent>().and_then(DragEvent::data_transfer);
                let files = platform::listed(transfer.and_then(|transfer| transfer.files()));
                if !files.is_empty() {
                    event.prevent_default();
                    open_files.emit(files);
                }
            });
            move || drop((enter, over, leave, dropped))
        });
    }
    *dragging
}

fn carries_file(event: &web_sys::Event) -> bool {
    let transfer = event.dyn_ref::<DragEvent>().and_then(DragEvent::data_transfer);
    transfer.is_some_and(|transfer| transfer.types().includes(&"Files".into(), 0))
}

fn on_window(name: &'static str, react: impl FnMut(&web_sys::Event) + 'static) -> Option<EventListener> {
    let options = EventListenerOptions::enable_prevent_default();
    Some(EventListener::new_with_options(&web_sys::window()?.into(), name, options, react))
}
