//! The conversation. It follows what is being written until the reader scrolls away, and again when they come back.

use std::rc::Rc;

use protocol::Role;
use web_sys::Element;
use yew::{
    Callback, Html, Properties, component, html, use_effect_with, use_mut_ref, use_node_ref, use_state,
};

use super::icons;
use super::message::{Message, Waiting};
use crate::state::{Action, Answer, Entry};

/// So near its end a transcript counts as being there: less than a line and a half.
const NEAR_END_PX: i32 = 40;

#[derive(Properties, PartialEq)]
pub(super) struct TranscriptProps {
    pub conversation: Vec<Rc<Entry>>,
    pub answer: Option<Answer>,
    pub can_regenerate: bool,
    pub act: Callback<Action>,
}

#[component]
pub(super) fn Transcript(props: &TranscriptProps) -> Html {
    let scroller = use_node_ref();
    let follows = use_mut_ref(|| true);
    let away = use_state(|| false);

    let onscroll = {
        let (scroller, follows, away) = (scroller.clone(), follows.clone(), away.setter());
        Callback::from(move |_| {
            let Some(element) = scroller.cast::<Element>() else { return };
            let at_end = is_at_end(&element);
            if follows.replace(at_end) != at_end {
                away.set(!at_end);
            }
        })
    };
    let jump = {
        let (scroller, follows, away) = (scroller.clone(), follows.clone(), away.setter());
        Callback::from(move |_| {
            follows.replace(true);
            away.set(false);
            scroller.cast::<Element>().iter().for_each(to_end);
        })
    };
    {
        // A new question always brings its reader to the end.
        let (follows, away) = (follows.clone(), away.setter());
        use_effect_with(props.conversation.len(), move |_| {
            follows.replace(true);
            away.set(false);
        });
    }
    {
        let (scroller, follows) = (scroller.clone(), follows.clone());
        // Runs after the elements have grown.
        use_effect_with(
            props.conversation.last().map(|last| (last.id, last.text.len(), last.ending)),
            move |_| {
                if *follows.borrow() {
                    scroller.cast::<Element>().iter().for_each(to_end);
                }
            },
        );
    }

    html! {
        <main class="transcript">
            <div class="scroller" ref={scroller} {onscroll} tabindex="0" role="group" aria-label="Conversation">
                { log(props) }
            </div>
            if *away {
                <button type="button" class="jump" data-testid="jump" onclick={jump}>
                    { icons::arrow_down() }{ "Jump to latest" }
                </button>
            }
        </main>
    }
}

/// Silent while an answer grows: a live region that speaks every token can't be listened to.
fn log(props: &TranscriptProps) -> Html {
    let busy = props.answer.is_some();
    let last_id = props.conversation.last().map(|last| last.id);
    html! {
        <div
            class="column"
            role="log"
            aria-label="Messages"
            aria-busy={busy.to_string()}
            aria-live={if busy { "off" } else { "polite" }}
            data-testid="transcript"
        >
            { for props.conversation.iter().map(|entry| {
                let is_last = Some(entry.id) == last_id;
                html! {
                    <Message
                        key={entry.id}
                        entry={entry.clone()}
                        can_regenerate={is_last && props.can_regenerate}
                        waiting={waiting(entry, props.answer.as_ref().filter(|_| is_last))}
                        act={props.act.clone()}
                    />
                }
            }) }
        </div>
    }
}

fn waiting(entry: &Entry, answer: Option<&Answer>) -> Option<Waiting> {
    let answer = answer.filter(|_| entry.role == Role::Assistant && entry.text.is_empty())?;
    Some(Waiting { prefill: answer.prefill })
}

fn is_at_end(element: &Element) -> bool {
    element.scroll_height() - element.scroll_top() - element.client_height() < NEAR_END_PX
}

fn to_end(element: &Element) {
    element.set_scroll_top(element.scroll_height());
}
