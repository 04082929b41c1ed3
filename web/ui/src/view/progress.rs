//! How far a load is: stage, bytes, percent, speed, time left.

use std::rc::Rc;

use protocol::{LoadProgress, LoadStage, ModelSource};
use yew::{Callback, Html, Properties, component, html};

use crate::format::{bytes, percent, speed, time_left};
use crate::state::{Action, Loading};

#[derive(Properties, PartialEq)]
pub(super) struct ProgressProps {
    pub loading: Rc<Loading>,
    /// What the site calls the model, if it offers it.
    pub offered: Option<String>,
    pub act: Callback<Action>,
}

#[component]
pub(super) fn Progress(props: &ProgressProps) -> Html {
    let Loading { source, progress, cancelling, .. } = &*props.loading;
    let (done, total) = progress.as_ref().map_or((0, 0), |p| (p.done_bytes, p.total_bytes));
    let value = (total > 0).then(|| done.min(total).to_string());
    html! {
        <section class="loading" aria-labelledby="loading-heading">
            <h3 id="loading-heading"><bdi>{ props.offered.as_deref().unwrap_or(source_name(source)) }</bdi></h3>
            <p class="stage">{ stage(progress.as_ref(), *cancelling) }</p>
            <progress
                data-testid="progress"
                data-done={done.to_string()}
                data-total={total.to_string()}
                aria-labelledby="loading-heading"
                max={total.max(1).to_string()}
                value={value}
            />
            <div class="loading-facts">
                <p class="facts">{ for progress.iter().flat_map(facts).map(|fact| html! { <span>{ fact }</span> }) }</p>
                <button
                    type="button"
                    data-testid="cancel"
                    disabled={*cancelling}
                    onclick={props.act.reform(|_| Action::CancelLoad)}
                >{ "Cancel" }</button>
            </div>
            <p class="note">{ "What has arrived is kept: a load that is cancelled goes on where it stopped." }</p>
        </section>
    }
}

fn stage(progress: Option<&LoadProgress>, cancelling: bool) -> &'static str {
    if cancelling {
        return "Stopping…";
    }
    match progress.map(|progress| progress.stage) {
        None | Some(LoadStage::Opening) => "Opening the model and the device…",
        Some(LoadStage::Downloading) => "Downloading, checking and keeping the model…",
        Some(LoadStage::Reading) => "Reading the model from this device…",
        Some(LoadStage::Preparing) => "Preparing the kernels…",
    }
}

fn facts(progress: &LoadProgress) -> Vec<String> {
    let LoadProgress { done_bytes, total_bytes, .. } = *progress;
    let Some(percent) = percent(done_bytes, total_bytes) else { return Vec::new() };
    let mut facts = vec![format!("{percent} %"), format!("{} of {}", bytes(done_bytes), bytes(total_bytes))];
    if done_bytes < total_bytes {
        facts.extend(speed(progress.bytes_per_second));
        facts.extend(progress.seconds_left.and_then(time_left).map(|left| format!("{left} left")));
    }
    facts
}

/// The last part of an address says most.
fn source_name(source: &ModelSource) -> &str {
    match source {
        ModelSource::File { name } => name,
        ModelSource::Url { url, .. } => {
            let path = url.split(['?', '#']).next().unwrap_or(url);
            path.rsplit('/').find(|part| !part.is_empty()).unwrap_or(url)
        }
    }
}
