//! What went wrong and what to do about it.

use yew::{Callback, Html, Properties, component, html};

use super::icons;
use crate::advice::{Remedy, heading, steps};
use crate::state::{Action, Alert};

#[derive(Properties, PartialEq)]
pub(super) struct AlertsProps {
    pub alerts: Vec<Alert>,
    /// Whether a remedy that loads a model would do anything now.
    pub can_load: bool,
    pub act: Callback<Action>,
}

#[component]
pub(super) fn Alerts(props: &AlertsProps) -> Html {
    html! {
        <div class="alerts">
            { for props.alerts.iter().map(|alert| alert_box(alert, props)) }
        </div>
    }
}

fn alert_box(alert: &Alert, props: &AlertsProps) -> Html {
    let id = alert.id;
    let kind = alert.failure.kind;
    html! {
        <section
            key={id}
            class="alert"
            role="alert"
            data-testid="error"
            data-kind={format!("{kind:?}")}
        >
            <div class="alert-inner">
            <div class="alert-words">
                <h2>{ heading(kind) }</h2>
                <p dir="auto">{ &alert.failure.message }</p>
                { steps_view(steps(kind)) }
                if let Some(remedy) = &alert.remedy {
                    { remedy_button(remedy, props) }
                }
            </div>
            <button
                type="button"
                class="quiet square"
                aria-label="Dismiss"
                title="Dismiss"
                onclick={props.act.reform(move |_| Action::Dismiss(id))}
            >{ icons::cross() }</button>
            </div>
        </section>
    }
}

fn steps_view(steps: &'static [&'static str]) -> Html {
    match steps {
        [] => Html::default(),
        [step] => html! { <p>{ *step }</p> },
        several => html! { <ul>{ for several.iter().map(|step| html! { <li>{ *step }</li> }) }</ul> },
    }
}

fn remedy_button(remedy: &Remedy, props: &AlertsProps) -> Html {
    let loads = matches!(remedy, Remedy::Retry(_) | Remedy::Reload(_));
    let action = match remedy.clone() {
        Remedy::Retry(source) | Remedy::Reload(source) => Action::Load(source),
        Remedy::NewChat => Action::NewChat,
        Remedy::RestartWorker => Action::RestartWorker,
    };
    html! {
        <button
            type="button"
            data-testid="remedy"
            disabled={loads && !props.can_load}
            onclick={props.act.reform(move |_| action.clone())}
        >{ remedy.label() }</button>
    }
}
