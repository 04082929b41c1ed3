//! The models that the site offers.

use std::rc::Rc;

use protocol::{CatalogueEntry, LoadOptions, ModelSource};
use yew::{Callback, Html, Properties, component, html, use_state};

use crate::format::bytes;
use crate::markdown::link;
use crate::state::{Action, Loaded, ModelPhase, WorkerPhase};

#[derive(Properties, PartialEq)]
pub(super) struct CatalogueProps {
    pub catalogue: Rc<[CatalogueEntry]>,
    pub worker: WorkerPhase,
    pub can_load: bool,
    pub in_use: ModelPhase,
    pub options: LoadOptions,
    pub act: Callback<Action>,
}

#[component]
pub(super) fn Catalogue(props: &CatalogueProps) -> Html {
    let nothing = match props.worker {
        WorkerPhase::Starting => "Starting the engine…",
        WorkerPhase::Crashed => "The engine has stopped.",
        WorkerPhase::Ready => "This site offers no models of its own. Load one from a URL or from a file.",
    };
    if props.catalogue.is_empty() {
        return html! { <p class="note" data-testid="catalogue-note">{ nothing }</p> };
    }
    html! {
        <ul class="catalogue" aria-label="Models">
            { for props.catalogue.iter().enumerate().map(|(index, entry)| offer(props, index, entry)) }
        </ul>
    }
}

fn offer(props: &CatalogueProps, index: usize, entry: &CatalogueEntry) -> Html {
    let in_use = in_use(&props.in_use, &entry.url);
    // With other options the model in use can be loaded once more.
    let changes = in_use.is_none_or(|loaded| loaded.options != props.options);
    html! {
        <Offer
            key={entry.url.clone()}
            entry={entry.clone()}
            first={index == 0}
            can_load={props.can_load && changes}
            in_use={in_use.is_some()}
            act={props.act.clone()}
        />
    }
}

fn in_use<'a>(model: &'a ModelPhase, url: &str) -> Option<&'a Loaded> {
    match model {
        ModelPhase::Loaded(loaded) => {
            let is_this = matches!(&loaded.source, ModelSource::Url { url: loaded, .. } if loaded == url);
            is_this.then_some(loaded)
        }
        _ => None,
    }
}

#[derive(Properties, PartialEq)]
struct OfferProps {
    entry: CatalogueEntry,
    first: bool,
    can_load: bool,
    in_use: bool,
    act: Callback<Action>,
}

#[component]
fn Offer(props: &OfferProps) -> Html {
    let entry = &props.entry;
    let source = ModelSource::Url { url: entry.url.clone(), pieces: entry.pieces.clone() };
    let load = props.act.reform(move |_| Action::Load(source.clone()));
    let word = if entry.stored { "Load" } else { "Download and load" };
    html! {
        <li class="offer">
            <div class="offer-words">
                <h3><bdi>{ &entry.name }</bdi></h3>
                <p dir="auto">{ &entry.description }</p>
                <p class="facts">
                    <span>{ bytes(entry.bytes) }</span>
                    <span>{ licence(entry) }</span>
                    if props.in_use {
                        <span class="badge">{ "in use" }</span>
                    } else if entry.stored {
                        <span class="badge">{ "on this device" }</span>
                    }
                </p>
            </div>
            <div class="offer-actions">
                <button
                    type="button"
                    class="primary"
                    data-testid="load"
                    data-url={entry.url.clone()}
                    disabled={!props.can_load}
                    onclick={load}
                >
                    // The first entry is the demo; browser tests know its button by this name.
                    <span data-testid={props.first.then_some("load-demo")}>{ word }</span>
                    <span class="sr-only">{ format!(" {}", entry.name) }</span>
                </button>
                if entry.stored {
                    <Remove url={entry.url.clone()} name={entry.name.clone()} act={props.act.clone()} />
                }
            </div>
        </li>
    }
}

fn licence(entry: &CatalogueEntry) -> Html {
    match link(&entry.licence_url) {
        Some(link) => html! {
            <a href={link.href} target="_blank" rel="noopener noreferrer nofollow">{ &entry.licence }</a>
        },
        None => html! { { &entry.licence } },
    }
}

#[derive(Properties, PartialEq)]
struct RemoveProps {
    url: String,
    name: String,
    act: Callback<Action>,
}

/// Asks once more: the bytes would have to be fetched again.
#[component]
fn Remove(props: &RemoveProps) -> Html {
    let asking = use_state(|| false);
    let set = |value: bool| {
        let asking = asking.setter();
        Callback::from(move |_| asking.set(value))
    };
    if !*asking {
        return html! {
            <button type="button" class="quiet" data-testid="remove" onclick={set(true)}>
                { "Remove" }<span class="sr-only">{ format!(" {} from this device", props.name) }</span>
            </button>
        };
    }
    let url = props.url.clone();
    html! {
        <div class="confirm" role="group" aria-label="Remove the stored model?">
            <button
                type="button"
                class="danger"
                data-testid="remove-confirm"
                onclick={props.act.reform(move |_| Action::Forget(url.clone()))}
            >{ "Remove it" }</button>
            <button type="button" class="quiet" onclick={set(false)}>{ "Keep" }</button>
        </div>
    }
}
