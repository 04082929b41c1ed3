//! What happens before, during and after a benchmark.

use protocol::{
    AccuracyMeasure, AccuracyReference, AccuracyReport, BenchmarkProgress, BenchmarkReport, BenchmarkStage,
};

use super::*;
use crate::route::Route;

const START: Action = Action::StartBenchmark(Trials::Known);

fn benchmarking() -> Event {
    let progress = BenchmarkProgress { stage: BenchmarkStage::Bandwidth, done: 1, total: 5 };
    Event::Benchmarking { progress }
}

fn benchmarked() -> Event {
    let Event::Loaded { model, device, .. } = loaded() else { panic!("not loaded") };
    let accuracy = AccuracyReport {
        against: AccuracyReference::Stored,
        prompt_tokens: 37,
        logits: 32,
        error: Some(1e-3),
        divergence: Some(1e-6),
        judged_by: AccuracyMeasure::Error,
        bound: 1e-2,
        greedy: None,
        passed: true,
    };
    let report = BenchmarkReport {
        version: "1".to_owned(),
        browser: None,
        model: *model,
        device,
        adapter: None,
        accuracy,
        tuning: None,
        read_bytes_per_second: None,
        weight_bytes_per_token: None,
        speeds: Vec::new(),
        left_out: Vec::new(),
        seconds: 1.0,
    };
    Event::Benchmarked { report: Box::new(report) }
}

/// A page on which a benchmark is running, after an answer.
fn running() -> State {
    post(&after(&phase("answered"), [Action::Routed(Route::Benchmark), START]))
}

#[test]
fn it_starts_where_a_question_would_be_answered() {
    const STARTS: &str = "benchmark running; posts [benchmark]";
    check(START, ["", "", "", STARTS, "", STARTS, ""]);
    const TRIES: &str = "benchmark running; posts [benchmark with trials]";
    check(Action::StartBenchmark(Trials::Anew), ["", "", "", TRIES, "", TRIES, ""]);
    check(Action::Routed(Route::Benchmark), ["route Benchmark"; 7]);
    check(Action::Routed(Route::Chat), [""; 7]);
    for event in [benchmarking(), benchmarked(), Event::BenchmarkStopped] {
        check(Action::Events(vec![event]), [""; 7]);
    }
}

#[test]
fn while_it_runs_nothing_else_does() {
    const CRASHES: &str = "worker Crashed; model absent; benchmark absent; alerts [Internal:Restart]";
    const LOSES: &str = "model absent; benchmark absent; alerts [DeviceLost:Reload the model]";
    let event = |event: Event| Action::Events(vec![event]);
    let before = running();
    for (action, expected) in [
        (Action::Load(demo()), ""),
        (Action::Ask("q".to_owned()), ""),
        (Action::Send, ""),
        (Action::Regenerate, ""),
        (START, ""),
        (Action::Routed(Route::Chat), "route Chat"),
        (Action::NewChat, "route Chat; talk []; away [q? a.EndOfTurn]"),
        (Action::Stop, "benchmark stopping; posts [stop]"),
        (event(benchmarking()), "benchmark 1 of 5"),
        (event(benchmarked()), "benchmark done"),
        (event(Event::BenchmarkStopped), "benchmark absent"),
        (event(failed(None, FailureKind::Internal)), "benchmark absent; alerts [Internal:-]"),
        (event(failed(None, FailureKind::DeviceLost)), LOSES),
        (Action::WorkerCrashed("m".to_owned()), CRASHES),
    ] {
        assert_eq!(difference(&before, &after(&before, [action.clone()])), expected, "{action:?}");
    }
    assert_eq!(
        (before.busy(), before.blocker()),
        (Some("benchmark"), Some("The benchmark is still running."))
    );
}

#[test]
fn it_is_stopped_once_and_may_be_done_before_that_is_heard() {
    let stopping = post(&after(&running(), [Action::Stop]));
    for (action, expected) in [
        (Action::Stop, ""),
        (Action::Events(vec![Event::BenchmarkStopped]), "benchmark absent"),
        (Action::Events(vec![benchmarked()]), "benchmark done"),
    ] {
        assert_eq!(difference(&stopping, &after(&stopping, [action.clone()])), expected, "{action:?}");
    }
}

#[test]
fn what_was_found_stays_until_the_next_one_starts() {
    let done = hears(&running(), vec![benchmarked()]);
    assert_eq!((done.busy(), done.blocker()), (None, None));
    let asked = after(&done, [Action::Ask("q".to_owned())]);
    assert_eq!(asked.benchmark, done.benchmark);
    let again = after(&done, [START]);
    assert_eq!(difference(&done, &again), "benchmark running; posts [benchmark]");
}

/// There is nothing to measure without a model, so the models are shown; a conversation would be there without one.
#[test]
fn the_models_are_shown_where_one_is_needed() {
    let lost = hears(&phase("answered"), vec![failed(None, FailureKind::DeviceLost)]);
    for (name, state, on_chat, on_benchmark) in [
        ("starting", phase("starting"), true, true),
        ("ready", phase("ready"), true, true),
        ("loading", phase("loading"), true, true),
        ("loaded", phase("loaded"), false, false),
        ("answered", phase("answered"), false, false),
        ("lost", lost, false, true),
    ] {
        for (route, expected) in [(Route::Chat, on_chat), (Route::Benchmark, on_benchmark)] {
            let shows = after(&state, [Action::Routed(route)]).shows_models();
            assert_eq!(shows, expected, "{name}, {route:?}");
        }
    }
    let choosing = after(&phase("loaded"), [Action::Routed(Route::Benchmark), Action::ToggleModels]);
    assert!(choosing.shows_models());
}
