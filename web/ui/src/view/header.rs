//! The line on top: the name, the model in use, a new chat, the theme.

use yew::{Callback, Html, Properties, classes, component, html};

use super::icons;
use crate::format::{count, percent};
use crate::state::{Action, Loaded, Loading, ModelPhase};
use crate::theme::Theme;
use protocol::Kernels;

#[derive(Properties, PartialEq)]
pub(super) struct HeaderProps {
    pub model: ModelPhase,
    pub theme: Theme,
    /// Whether the models are shown.
    pub choosing: bool,
    /// Whether there is a conversation.
    pub talking: bool,
    pub act: Callback<Action>,
}

#[component]
pub(super) fn Header(props: &HeaderProps) -> Html {
    let HeaderProps { model, theme, choosing, talking, act } = props;
    let new_chat = act.reform(|_| Action::NewChat);
    html! {
        <header class="header">
            <h1 class="brand">{ icons::mark() }<span>{ "Pronk" }</span></h1>
            { chip(model, *choosing, *talking, act) }
            <div class="header-actions">
                <button
                    type="button"
                    class="quiet"
                    data-testid="new-chat"
                    disabled={!talking}
                    aria-keyshortcuts="Control+Shift+O Meta+Shift+O"
                    title="New chat (Ctrl+Shift+O)"
                    onclick={new_chat}
                >{ icons::plus() }<span class="wide-label">{ "New chat" }</span></button>
                { theme_button(*theme, act) }
            </div>
        </header>
    }
}

fn theme_button(theme: Theme, act: &Callback<Action>) -> Html {
    let (icon, name) = match theme {
        Theme::System => (icons::half_sun(), "as the system"),
        Theme::Light => (icons::sun(), "light"),
        Theme::Dark => (icons::moon(), "dark"),
    };
    let label = format!("Theme: {name}");
    html! {
        <button
            type="button"
            class="quiet square"
            data-testid="theme"
            aria-label={label.clone()}
            title={label}
            onclick={act.reform(move |_| Action::ThemeChanged(theme.next()))}
        >{ icon }</button>
    }
}

/// The model in a few words; opens and closes the models, where there is something to go back to.
fn chip(model: &ModelPhase, choosing: bool, talking: bool, act: &Callback<Action>) -> Html {
    let can_toggle = talking || matches!(model, ModelPhase::Loaded(_));
    let words = match model {
        ModelPhase::Absent if talking => html! { <span class="chip-name">{ "No model" }</span> },
        ModelPhase::Absent => return html! { <span class="chip-space" /> },
        ModelPhase::Loading(loading) => html! { <span class="chip-name">{ loading_words(loading) }</span> },
        ModelPhase::Loaded(loaded) => loaded_words(loaded),
    };
    html! {
        <button
            type="button"
            class={classes!("chip", choosing.then_some("open"))}
            data-testid="model-chip"
            aria-expanded={choosing.to_string()}
            title="Choose a model"
            disabled={!can_toggle}
            onclick={act.reform(|_| Action::ToggleModels)}
        >
            <span class="chip-words">{ words }</span>
            if can_toggle {
                { icons::chevron() }
            }
        </button>
    }
}

fn loading_words(loading: &Loading) -> String {
    let progress = loading.progress.as_ref();
    match progress.and_then(|progress| percent(progress.done_bytes, progress.total_bytes)) {
        Some(percent) => format!("Loading, {percent} %"),
        None => "Loading…".to_owned(),
    }
}

fn loaded_words(loaded: &Loaded) -> Html {
    let device = match loaded.device.kernels {
        _ if loaded.device.software => "no GPU: slow",
        Kernels::Subgroups => "GPU, subgroups",
        Kernels::Plain => "GPU",
        Kernels::Int8 => "GPU, bytes",
        Kernels::Halves => "GPU, halves",
        Kernels::Simd => "CPU",
        Kernels::Reference => "CPU, slowly",
    };
    let context = count(loaded.model.context.into());
    html! {
        <>
            <bdi class="chip-name">{ &loaded.model.name }</bdi>
            <span class="chip-detail" title={loaded.device.adapter.clone()}>
                { format!("{device} · {context} tokens") }
            </span>
        </>
    }
}
