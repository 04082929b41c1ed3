//! Where a question is written: Enter sends, Shift+Enter breaks the line.

use web_sys::HtmlTextAreaElement;
use yew::{Callback, Html, InputEvent, KeyboardEvent, Properties, SubmitEvent, TargetCast, component, html};

use super::{COMPOSER_ID, icons};
use crate::state::{Action, Answer};

/// What Safari still reports for a key that an input method has taken, after the composition has ended.
const IME_KEY_CODE: u32 = 229;

#[derive(Properties, PartialEq)]
pub(super) struct ComposerProps {
    pub draft: String,
    /// Why nothing can be sent, if so.
    pub blocker: Option<&'static str>,
    /// Whether a draft can be sent, now or once the model is there.
    pub can_send: bool,
    pub answer: Option<Answer>,
    pub act: Callback<Action>,
}

#[component]
pub(super) fn Composer(props: &ComposerProps) -> Html {
    let ComposerProps { draft, blocker, act, .. } = props;
    let submit = act.reform(|event: SubmitEvent| {
        event.prevent_default();
        Action::Send
    });
    let changed = act.reform(|event: InputEvent| {
        Action::DraftChanged(event.target_unchecked_into::<HtmlTextAreaElement>().value())
    });
    let onkeydown = {
        let act = act.clone();
        Callback::from(move |event: KeyboardEvent| {
            if sends(&event) {
                event.prevent_default();
                act.emit(Action::Send);
            }
        })
    };
    html! {
        <form class="composer" onsubmit={submit}>
            <label class="sr-only" for={COMPOSER_ID}>{ "Your message" }</label>
            // The text area lies over a copy of its text, and so is as tall as the copy.
            <div class="grow">
                <div class="grow-copy" aria-hidden="true">{ draft }{ "\u{200B}" }</div>
                <textarea
                    id={COMPOSER_ID}
                    rows="1"
                    dir="auto"
                    placeholder={blocker.unwrap_or("Write a message")}
                    enterkeyhint="send"
                    data-testid="composer"
                    aria-describedby={blocker.map(|_| "composer-hint")}
                    value={draft.clone()}
                    oninput={changed}
                    {onkeydown}
                />
            </div>
            { button(props) }
            // The placeholder says the same, until something is written over it.
            if let Some(blocker) = blocker {
                <p id="composer-hint" class={if draft.is_empty() { "sr-only" } else { "composer-hint" }}>
                    { *blocker }
                </p>
            }
        </form>
    }
}

fn sends(event: &KeyboardEvent) -> bool {
    event.key() == "Enter"
        && !event.shift_key()
        && !event.alt_key()
        && !event.is_composing()
        && event.key_code() != IME_KEY_CODE
}

/// Send, or Stop in its place while an answer is being written.
fn button(props: &ComposerProps) -> Html {
    if let Some(answer) = &props.answer {
        let label = if answer.stopping { "Stopping" } else { "Stop" };
        return html! {
            <button
                key="stop"
                type="button"
                class="round"
                data-testid="stop"
                aria-label={label}
                title="Stop (Esc)"
                disabled={answer.stopping}
                onclick={props.act.reform(|_| Action::Stop)}
            >{ icons::square() }</button>
        };
    }
    html! {
        <button
            key="send"
            type="submit"
            class="round primary"
            data-testid="send"
            aria-label="Send"
            title={props.blocker.unwrap_or("Send (Enter)")}
            disabled={!props.can_send || props.draft.trim().is_empty()}
        >{ icons::arrow_up() }</button>
    }
}
