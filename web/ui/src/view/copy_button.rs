//! A button that copies a text and says for a moment that it did.

use gloo_timers::callback::Timeout;
use yew::{AttrValue, Callback, Html, Properties, component, html, use_effect_with, use_state};

use super::icons;
use crate::advice::PageContext;
use crate::platform;

const SAYS_SO_MS: u32 = 1600;

#[derive(Properties, PartialEq)]
pub(super) struct CopyButtonProps {
    /// What is copied.
    pub text: AttrValue,
    /// What the button is for, to those who don't see what stands beside it.
    pub label: AttrValue,
    /// What the button says.
    #[prop_or("Copy")]
    pub word: &'static str,
}

#[component]
pub(super) fn CopyButton(props: &CopyButtonProps) -> Html {
    let copied = use_state(|| false);
    {
        let setter = copied.setter();
        use_effect_with(*copied, move |copied| {
            let timeout = copied.then(|| Timeout::new(SAYS_SO_MS, move || setter.set(false)));
            move || drop(timeout)
        });
    }
    // Pages that are not secure have no clipboard.
    if platform::page_context() == PageContext::Insecure {
        return Html::default();
    }
    let onclick = {
        let (text, setter) = (props.text.clone(), copied.setter());
        Callback::from(move |_| {
            let setter = setter.clone();
            platform::copy(&text, move || setter.set(true));
        })
    };
    let (icon, word) = if *copied { (icons::tick(), "Copied") } else { (icons::pages(), props.word) };
    html! {
        <button type="button" class="quiet small" data-testid="copy" aria-label={props.label.clone()} {onclick}>
            { icon }<span aria-live="polite">{ word }</span>
        </button>
    }
}
