//! Where a model is chosen: first thing on a first visit, behind the chip later.
//!
//! Nothing is fetched before a click.

use std::rc::Rc;

use protocol::{CatalogueEntry, LoadOptions, ModelSource, Sampling, SamplingDefaults};
use web_sys::{File, HtmlInputElement, InputEvent, SubmitEvent};
use yew::{Callback, Event, Html, Properties, TargetCast, component, html};

use super::catalogue::Catalogue;
use super::load_options::LoadChoices;
use super::progress::Progress;
use super::sampling::SamplingChoices;
use super::slow_note::slow_note;
use super::tuning::excluded_note;
use crate::platform;
use crate::route::Route;
use crate::state::{Action, Loading, ModelPhase, Setting, WorkerPhase};

#[derive(Properties, PartialEq)]
pub(super) struct ModelsProps {
    pub catalogue: Rc<[CatalogueEntry]>,
    pub worker: WorkerPhase,
    pub model: ModelPhase,
    /// What a model is chosen for.
    pub route: Route,
    pub options: LoadOptions,
    pub sampling: Sampling,
    /// What was typed for a setting and is none.
    pub mistyped: Vec<(Setting, String)>,
    pub url: String,
    pub can_load: bool,
    /// What has to end before another model can be loaded.
    pub busy: Option<&'static str>,
    pub talking: bool,
    pub act: Callback<Action>,
    pub open_files: Callback<Vec<File>>,
}

#[component]
pub(super) fn Models(props: &ModelsProps) -> Html {
    let loaded = matches!(props.model, ModelPhase::Loaded(_));
    let can_go_back = loaded || (props.talking && props.route == Route::Chat);
    html! {
        <main class="models scroller">
            <div class="column">
                if can_go_back {
                    { way_back(props.route, &props.act) }
                } else {
                    { introduction(props.route) }
                }
                if let ModelPhase::Loaded(loaded) = &props.model {
                    { slow_note(Some(loaded)) }
                    { excluded_note(Some(loaded)) }
                }
                if let ModelPhase::Loading(loading) = &props.model {
                    <Progress
                        loading={loading.clone()}
                        offered={offered(&props.catalogue, loading)}
                        act={props.act.clone()}
                    />
                } else {
                    if let Some(busy) = props.busy {
                        <p class="note">{ format!("Stop the {busy} before you load another model.") }</p>
                    }
                    <Catalogue
                        catalogue={props.catalogue.clone()}
                        worker={props.worker}
                        can_load={props.can_load}
                        in_use={props.model.clone()}
                        options={props.options}
                        act={props.act.clone()}
                    />
                    <LoadChoices options={props.options} model={props.model.clone()} act={props.act.clone()} />
                    <SamplingChoices
                        sampling={props.sampling.clone()}
                        mistyped={props.mistyped.clone()}
                        makers={makers(&props.model)}
                        act={props.act.clone()}
                    />
                    { own_models(props) }
                }
            </div>
        </main>
    }
}

/// How the makers of the model in use want tokens drawn.
fn makers(model: &ModelPhase) -> SamplingDefaults {
    match model {
        ModelPhase::Loaded(loaded) => loaded.model.sampling,
        _ => SamplingDefaults::default(),
    }
}

/// The catalogue's name for what is being loaded.
fn offered(catalogue: &[CatalogueEntry], loading: &Loading) -> Option<String> {
    let ModelSource::Url { url, .. } = &loading.source else { return None };
    catalogue.iter().find(|entry| entry.url == *url).map(|entry| entry.name.clone())
}

fn way_back(route: Route, act: &Callback<Action>) -> Html {
    let words = match route {
        Route::Chat => "Back to the chat",
        Route::Benchmark => "Back to the benchmark",
    };
    html! {
        <div class="models-top">
            <h2>{ "Choose a model" }</h2>
            <button type="button" data-testid="back" onclick={act.reform(|_| Action::ToggleModels)}>{ words }</button>
        </div>
    }
}

fn introduction(route: Route) -> Html {
    let (heading, words) = match route {
        Route::Chat => (
            "Chat with a language model that runs on this device.",
            "The model is fetched once and kept in this browser. It runs on your own graphics card or processor, and \
             what you write never leaves this page.",
        ),
        Route::Benchmark => (
            "Measure how fast a language model runs on this device.",
            "What is measured is the model that is loaded, so load one first. What is found stays in this page, unless you \
             copy it.",
        ),
    };
    html! {
        <div class="introduction">
            <h2>{ heading }</h2>
            <p>{ words }</p>
        </div>
    }
}

fn own_models(props: &ModelsProps) -> Html {
    let load = props.act.reform(|event: SubmitEvent| {
        event.prevent_default();
        Action::LoadUrl
    });
    let changed = props.act.reform(|event: InputEvent| {
        Action::UrlChanged(event.target_unchecked_into::<HtmlInputElement>().value())
    });
    html! {
        <section class="own-models" aria-labelledby="own-models-heading">
            <h3 id="own-models-heading">{ "Another model" }</h3>
            <form class="url-form" onsubmit={load}>
                <label for="url-input">{ "Load from a URL" }</label>
                <div class="url-row">
                    <input
                        id="url-input"
                        type="text"
                        inputmode="url"
                        autocomplete="off"
                        autocapitalize="off"
                        spellcheck="false"
                        placeholder="https://…/model.gguf"
                        data-testid="url-input"
                        value={props.url.clone()}
                        oninput={changed}
                    />
                    <button type="submit" data-testid="url-load" disabled={!props.can_load}>{ "Load" }</button>
                </div>
            </form>
            { file_button(props) }
        </section>
    }
}

fn file_button(props: &ModelsProps) -> Html {
    let open_files = props.open_files.clone();
    let picked = Callback::from(move |event: Event| {
        let input = event.target_unchecked_into::<HtmlInputElement>();
        let files = platform::listed(input.files());
        if !files.is_empty() {
            open_files.emit(files);
        }
        // So that picking the same file again is a change.
        input.set_value("");
    });
    html! {
        <div class="file-row">
            <label class="button">
                { "Open a model’s files" }
                <input
                    class="sr-only"
                    type="file"
                    accept=".gguf,.safetensors,.json,.model,.jinja"
                    multiple=true
                    data-testid="file-input"
                    disabled={!props.can_load}
                    onchange={picked}
                />
            </label>
            <span class="note">{ "or drop them anywhere on this page: a GGUF file, or all files of a Hugging Face folder. They are read where they lie, not copied." }</span>
        </div>
    }
}
