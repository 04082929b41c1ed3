//! How tokens are drawn: folded away too, and heeded from the next answer on.

use protocol::{Sampling, SamplingDefaults};
use web_sys::HtmlInputElement;
use yew::{Callback, Event, Html, Properties, TargetCast, component, html};

use crate::state::{Action, Setting};

#[derive(Properties, PartialEq)]
pub(super) struct SamplingChoicesProps {
    pub sampling: Sampling,
    /// What was typed for a setting and is none.
    pub mistyped: Vec<(Setting, String)>,
    /// What the makers of the model in use want.
    pub makers: SamplingDefaults,
    pub act: Callback<Action>,
}

#[component]
pub(super) fn SamplingChoices(props: &SamplingChoicesProps) -> Html {
    let SamplingChoicesProps { sampling, mistyped, act, .. } = props;
    html! {
        <details class="load-options">
            <summary data-testid="sampling">{ "Sampling" }</summary>
            <div class="choices">{ for Setting::ALL.map(|setting| field(props, setting)) }</div>
            <p class="note">
                { "For the next answer on. A temperature of 0 takes the likeliest word each time; a higher one draws, and \
                   with the same seed draws the same. What is left empty is as the model’s makers want it." }
            </p>
            <button
                type="button"
                class="quiet"
                data-testid="sampling-reset"
                disabled={*sampling == Sampling::default() && mistyped.is_empty()}
                onclick={act.reform(|_| Action::SamplingReset)}
            >{ "Reset to the model’s" }</button>
        </details>
    }
}

fn field(props: &SamplingChoicesProps, setting: Setting) -> Html {
    let id = setting.id();
    let mistyped = props.mistyped.iter().find(|(mistyped, _)| *mistyped == setting).map(|(_, typed)| typed);
    // Only what is typed to its end is a number: "0." on the way to "0.7" is none.
    let onchange = props.act.reform(move |event: Event| {
        Action::SettingTyped(setting, event.target_unchecked_into::<HtmlInputElement>().value())
    });
    html! {
        <div class="choice">
            <label for={id}>{ setting.label() }</label>
            <input
                {id}
                type="number"
                min="0"
                step="any"
                data-testid={id}
                placeholder={setting.placeholder(&props.makers)}
                value={mistyped.cloned().unwrap_or_else(|| setting.text(&props.sampling))}
                aria-invalid={mistyped.map(|_| "true")}
                {onchange}
            />
            if mistyped.is_some() {
                <p class="note" role="alert">{ setting.refusal() }</p>
            }
        </div>
    }
}
