//! One message, rendered again only when it has changed.

use std::rc::Rc;

use protocol::{FinishReason, Role};
use yew::{Callback, Html, Properties, component, html};

use super::copy_button::CopyButton;
use super::icons;
use super::rich_text::RichText;
use super::wanted::wanted;
use crate::state::{Action, Ending, Entry};
use crate::unicode::reveal;

#[derive(Properties)]
pub(super) struct MessageProps {
    pub entry: Rc<Entry>,
    /// Whether this is an answer that can be made anew.
    pub can_regenerate: bool,
    /// What the engine is doing while the answer has no words yet.
    pub waiting: Option<Waiting>,
    pub act: Callback<Action>,
}

/// What comes before an answer's first word.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Waiting {
    /// Prompt tokens read, and how many there are.
    pub prefill: Option<(u32, u32)>,
}

impl PartialEq for MessageProps {
    fn eq(&self, other: &MessageProps) -> bool {
        Rc::ptr_eq(&self.entry, &other.entry)
            && self.can_regenerate == other.can_regenerate
            && self.waiting == other.waiting
            && self.act == other.act
    }
}

#[component]
pub(super) fn Message(props: &MessageProps) -> Html {
    match props.entry.role {
        Role::User | Role::System | Role::Tool => question(&props.entry),
        Role::Assistant => answer(props),
    }
}

fn question(entry: &Entry) -> Html {
    html! {
        <article class="question" data-role="user" aria-label="You">
            <p dir="auto">{ reveal(&entry.text).into_owned() }</p>
        </article>
    }
}

fn answer(props: &MessageProps) -> Html {
    let entry = &props.entry;
    html! {
        <article class="answer" data-role="assistant" data-finished={entry.ending.map(ending_name)} aria-label="Answer">
            if let Some(waiting) = props.waiting {
                { waiting_view(waiting) }
            } else {
                <RichText entry={entry.clone()} />
                { wanted(&entry.wants) }
            }
            if let Some(ending) = entry.ending {
                if let Some(note) = note(ending, entry.is_empty()) {
                    <p class="note">{ note }</p>
                }
                <div class="answer-actions">
                    if !entry.text.is_empty() {
                        <CopyButton text={reveal(&entry.text).into_owned()} label="Copy the answer" />
                    }
                    if props.can_regenerate {
                        <button
                            type="button"
                            class="quiet small"
                            data-testid="regenerate"
                            onclick={props.act.reform(|_| Action::Regenerate)}
                        >{ icons::again() }{ "Try again" }</button>
                    }
                </div>
            }
        </article>
    }
}

fn waiting_view(waiting: Waiting) -> Html {
    match waiting.prefill {
        Some((done, total)) if total > 0 => html! {
            <div class="waiting">
                <p>{ format!("Reading: {done} of {total} tokens") }</p>
                <progress max={total.to_string()} value={done.min(total).to_string()} aria-label="Prompt read" />
            </div>
        },
        _ => html! { <div class="waiting"><p>{ "Reading…" }</p></div> },
    }
}

/// As the protocol writes it, for tests and style sheets.
fn ending_name(ending: Ending) -> &'static str {
    match ending {
        Ending::Finished(FinishReason::EndOfTurn) => "end_of_turn",
        Ending::Finished(FinishReason::ToolCalls) => "tool_calls",
        Ending::Finished(FinishReason::MaxTokens) => "max_tokens",
        Ending::Finished(FinishReason::ContextFull) => "context_full",
        Ending::Finished(FinishReason::Stopped) => "stopped",
        Ending::Failed => "failed",
    }
}

/// What a person should know about how the answer ended.
fn note(ending: Ending, empty: bool) -> Option<&'static str> {
    match ending {
        Ending::Finished(FinishReason::EndOfTurn) => empty.then_some("The model had nothing to say."),
        Ending::Finished(FinishReason::ToolCalls) => {
            Some("The model waits for what its tools give. Pronk does not run them yet.")
        }
        Ending::Finished(FinishReason::MaxTokens) => Some("The answer has reached its greatest length."),
        Ending::Finished(FinishReason::ContextFull) => {
            Some("The context is full: the model cannot take in more. Start a new chat to go on.")
        }
        Ending::Finished(FinishReason::Stopped) => Some("Stopped."),
        Ending::Failed => Some("The answer ended here because of a failure."),
    }
}
