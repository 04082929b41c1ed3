//! Where a model is measured: a button, how far it is, and what came of it.

use std::rc::Rc;

use protocol::{BenchmarkProgress, BenchmarkStage, Kernels, Trials};
use yew::{Callback, Html, Properties, component, html};

use super::benchmark_report::Report;
use super::slow_note::slow_note;
use super::tuning::excluded_note;
use crate::format::count;
use crate::state::{Action, BenchmarkPhase, Loaded};

#[derive(Properties, PartialEq)]
pub(super) struct BenchmarkProps {
    pub benchmark: BenchmarkPhase,
    pub loaded: Option<Rc<Loaded>>,
    pub can_start: bool,
    pub act: Callback<Action>,
}

#[component]
pub(super) fn Benchmark(props: &BenchmarkProps) -> Html {
    html! {
        <main class="benchmark scroller">
            <div class="column">
                <h2>{ "Benchmark" }</h2>
                <p class="note">
                    { "Whether the model computes right on this device, how fast the device reads its memory, and how fast \
                       the model reads and writes. It takes about a minute. Keep this page in front, and other programs \
                       quiet." }
                </p>
                { slow_note(props.loaded.as_deref()) }
                { excluded_note(props.loaded.as_deref()) }
                { what_is_measured(props.loaded.as_deref()) }
                { controls(props) }
                if let BenchmarkPhase::Done(report) = &props.benchmark {
                    <Report report={report.clone()} />
                }
            </div>
        </main>
    }
}

fn what_is_measured(loaded: Option<&Loaded>) -> Html {
    let Some(loaded) = loaded else { return Html::default() };
    html! { <p>{ "Model: " }<bdi>{ &loaded.model.name }</bdi></p> }
}

fn controls(props: &BenchmarkProps) -> Html {
    let BenchmarkPhase::Running { progress, stopping } = &props.benchmark else {
        return ways_to_start(props);
    };
    let (done, total) = progress.map_or((0, 1), |progress| (progress.done, progress.total));
    html! {
        <section class="loading" aria-label="The benchmark in progress">
            <p class="stage" aria-live="polite" data-testid="benchmark-stage">{ stage(*progress, *stopping) }</p>
            <progress aria-label="Steps done" max={total.to_string()} value={done.to_string()} />
            <div class="loading-facts">
                <span class="facts">{ format!("{done} of {total} steps done") }</span>
                <button
                    type="button"
                    data-testid="benchmark-stop"
                    disabled={*stopping}
                    onclick={props.act.reform(|_| Action::Stop)}
                >{ "Stop" }</button>
            </div>
        </section>
    }
}

/// Only a GPU has kernels to choose from.
fn ways_to_start(props: &BenchmarkProps) -> Html {
    let kernels = props.loaded.as_ref().map(|loaded| loaded.device.kernels);
    let has_choice = matches!(kernels, Some(Kernels::Subgroups | Kernels::Plain | Kernels::Int8));
    html! {
        <p class="ways">
            <button
                type="button"
                class="primary"
                data-testid="benchmark-start"
                disabled={!props.can_start}
                onclick={props.act.reform(|_| Action::StartBenchmark(Trials::Known))}
            >{ "Start" }</button>
            if has_choice {
                <button
                    type="button"
                    data-testid="benchmark-try"
                    disabled={!props.can_start}
                    title="Compares all kinds of kernels on a made-up layer, and times those that are right"
                    onclick={props.act.reform(|_| Action::StartBenchmark(Trials::Anew))}
                >{ "Try the kernels, too" }</button>
            }
        </p>
    }
}

fn stage(progress: Option<BenchmarkProgress>, stopping: bool) -> String {
    if stopping {
        return "Stopping…".to_owned();
    }
    match progress.map(|progress| progress.stage) {
        None | Some(BenchmarkStage::Accuracy) => "Checking whether the model computes right…".to_owned(),
        Some(BenchmarkStage::Kernels) => "Trying the kernels…".to_owned(),
        Some(BenchmarkStage::Bandwidth) => "Reading the device’s memory…".to_owned(),
        Some(BenchmarkStage::Speed { prompt_tokens }) => {
            format!("Reading {} tokens, and writing after them…", count(prompt_tokens.into()))
        }
    }
}
