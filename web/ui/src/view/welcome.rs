//! An empty conversation: what one could ask.

use std::rc::Rc;

use yew::{Callback, Html, Properties, component, html};

use super::slow_note::slow_note;
use super::tuning::excluded_note;
use crate::state::{Action, Loaded};

/// Small models do these well enough to be worth a first click.
const EXAMPLES: [&str; 4] = [
    "What is the capital of France?",
    "Explain why the sky is blue, in three sentences.",
    "Write a polite email that asks to move a meeting to Thursday.",
    "Give me five ideas for a rainy afternoon, as a list.",
];

#[derive(Properties, PartialEq)]
pub(super) struct WelcomeProps {
    pub loaded: Option<Rc<Loaded>>,
    pub can_bring_back: bool,
    pub act: Callback<Action>,
}

#[component]
pub(super) fn Welcome(props: &WelcomeProps) -> Html {
    html! {
        <main class="welcome scroller">
            <div class="column">
                <h2>{ "What would you like to know?" }</h2>
                <ul class="examples" aria-label="Examples">
                    { for EXAMPLES.into_iter().map(|example| html! {
                        <li><button
                            type="button"
                            data-testid="example"
                            onclick={props.act.reform(move |_| Action::Ask(example.to_owned()))}
                        >{ example }</button></li>
                    }) }
                </ul>
                { slow_note(props.loaded.as_deref()) }
                { excluded_note(props.loaded.as_deref()) }
                <p class="note">{ "Models make mistakes, small ones many. Check what matters." }</p>
                if props.can_bring_back {
                    <button
                        type="button"
                        class="quiet"
                        data-testid="bring-back"
                        onclick={props.act.reform(|_| Action::BringBack)}
                    >{ "Bring back the last chat" }</button>
                }
            </div>
        </main>
    }
}
