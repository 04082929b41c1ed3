//! The small print: where it runs, and under which licence the model came.

use std::rc::Rc;

use protocol::{CatalogueEntry, ModelSource};
use yew::{Html, Properties, component, html};

use crate::format::{bytes, parameters};
use crate::markdown::link;
use crate::route::Route;
use crate::state::Loaded;

const LLAMA_LICENCE: &str = "https://www.llama.com/llama3_1/license/";
const LLAMA_USE_POLICY: &str = "https://www.llama.com/llama3_1/use-policy/";

#[derive(Properties, PartialEq)]
pub(super) struct FooterProps {
    pub loaded: Option<Rc<Loaded>>,
    pub catalogue: Rc<[CatalogueEntry]>,
    pub route: Route,
}

#[component]
pub(super) fn Footer(props: &FooterProps) -> Html {
    html! {
        <footer class="footer">
            <p>
                <span>{ "Runs on this device; nothing you write leaves it." }</span>
                { other_view(props.route) }
                if let Some(loaded) = &props.loaded {
                    { model_facts(loaded) }
                    if loaded.model.built_with_llama {
                        { built_with_llama() }
                    } else {
                        { licence(loaded, &props.catalogue) }
                    }
                }
            </p>
        </footer>
    }
}

fn other_view(route: Route) -> Html {
    let (other, words) = match route {
        Route::Chat => (Route::Benchmark, "Benchmark"),
        Route::Benchmark => (Route::Chat, "Chat"),
    };
    html! { <a href={other.hash()} data-testid="other-view">{ words }</a> }
}

fn model_facts(loaded: &Loaded) -> Html {
    let model = &loaded.model;
    let facts =
        format!("{} weights, {}, {}", parameters(model.parameters), model.quantization, bytes(model.bytes));
    html! { <span class="wide-only" data-testid="model-facts">{ facts }</span> }
}

fn licence(loaded: &Loaded, catalogue: &[CatalogueEntry]) -> Html {
    let offered = catalogue
        .iter()
        .find(|entry| matches!(&loaded.source, ModelSource::Url { url, .. } if *url == entry.url));
    let name = loaded.model.licence.as_ref().or(offered.map(|entry| &entry.licence));
    let Some(name) = name else { return Html::default() };
    match offered.and_then(|entry| link(&entry.licence_url)) {
        Some(link) => html! { <span>{ "Model licence: " }{ outside(&link.href, name) }</span> },
        None => html! { <span>{ "Model licence: " }<bdi>{ name }</bdi></span> },
    }
}

/// The Llama licence (1.b.i) asks for this line wherever a product contains the model.
fn built_with_llama() -> Html {
    html! {
        <span data-testid="built-with-llama">
            <b>{ "Built with Llama" }</b>{ ": " }
            { outside(LLAMA_LICENCE, "licence") }{ ", " }{ outside(LLAMA_USE_POLICY, "acceptable use") }
        </span>
    }
}

fn outside(href: &str, words: &str) -> Html {
    let href = href.to_owned();
    html! { <a {href} target="_blank" rel="noopener noreferrer nofollow">{ words }</a> }
}
