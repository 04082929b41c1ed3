//! The conversation. It follows what is being written until the reader scrolls away, and again when they come back.

use std::cell::RefCell;
use std::rc::Rc;

use protocol::Role;
use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;
use web_sys::{Element, ResizeObserver};
use yew::{
    Callback, Html, NodeRef, Properties, component, hook, html, use_effect_with, use_mut_ref, use_node_ref,
    use_state,
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
            props.conversation.last().map(|last| (last.id, last.text.len(), last.wants.len(), last.ending)),
            move |_| {
                if *follows.borrow() {
                    scroller.cast::<Element>().iter().for_each(to_end);
                }
            },
        );
    }

    use_resize(&scroller, &follows);

    html! {
        <main class="transcript">
            <h2 class="sr-only">{ "Conversation" }</h2>
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

/// Keeps the end in sight when the room for the conversation changes: a keyboard comes up, an alert appears.
#[hook]
fn use_resize(scroller: &NodeRef, follows: &Rc<RefCell<bool>>) {
    let (scroller, follows) = (scroller.clone(), follows.clone());
    use_effect_with((), move |()| {
        let element = scroller.cast::<Element>();
        let on_resize = Closure::<dyn Fn()>::new(move || {
            if *follows.borrow() {
                scroller.cast::<Element>().iter().for_each(to_end);
            }
        });
        let observer = ResizeObserver::new(on_resize.as_ref().unchecked_ref()).ok();
        if let (Some(observer), Some(element)) = (&observer, &element) {
            observer.observe(element);
        }
        move || {
            observer.iter().for_each(ResizeObserver::disconnect);
            drop(on_resize);
        }
    });
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
    let answer = answer.filter(|_| entry.role == Role::Assistant && entry.is_empty())?;
    Some(Waiting { prefill: answer.prefill })
}

fn is_at_end(element: &Element) -> bool {
    element.scroll_height() - element.scroll_top() - element.client_height() < NEAR_END_PX
}

fn to_end(element: &Element) {
    element.set_scroll_top(element.scroll_height());
}
