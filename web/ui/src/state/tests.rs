//! Every action and event in every phase.

use std::rc::Rc;

use protocol::{
    CatalogueEntry, Device, DeviceReason, DeviceReport, Event, Failure, FailureKind, FinishReason, Json,
    Kernels, Kv, LoadOptions, LoadProgress, LoadStage, ModelInfo, ModelSource, Quantize, Request, Role,
    SamplingDefaults, ToolCall, ToolEvent, Trials, Usage,
};
use yew::Reducible;

use super::*;

mod benchmark;
mod stories;

const DEMO: &str = "models/demo.gguf";

fn demo() -> ModelSource {
    ModelSource::Url { url: DEMO.to_owned(), pieces: vec!["ab".to_owned()] }
}

/// Options of which each is another than the engine's own choice.
fn small() -> LoadOptions {
    LoadOptions { device: Device::Cpu, context: Some(1024), kv: Kv::F32, quantize: Quantize::Q8 }
}

fn catalogue() -> Vec<CatalogueEntry> {
    vec![CatalogueEntry {
        name: "Demo".to_owned(),
        description: String::new(),
        url: DEMO.to_owned(),
        bytes: 100,
        licence: "apache-2.0".to_owned(),
        licence_url: String::new(),
        pieces: vec!["ab".to_owned()],
        stored: false,
    }]
}

fn progress(done_bytes: u64) -> LoadProgress {
    LoadProgress {
        stage: LoadStage::Downloading,
        done_bytes,
        total_bytes: 100,
        fetched_bytes: done_bytes,
        bytes_per_second: 5.0,
        seconds_left: None,
    }
}

fn loaded() -> Event {
    Event::Loaded {
        model: Box::new(ModelInfo {
            name: "demo 8k mix".to_owned(),
            bytes: 100,
            parameters: 10,
            quantization: "Q4_1".to_owned(),
            licence: None,
            built_with_llama: false,
            context: 2048,
            max_context: 8192,
            sampling: SamplingDefaults::default(),
            kv: Kv::F16,
            kv_bytes_per_token: 23_040,
            warnings: Vec::new(),
        }),
        device: DeviceReport {
            adapter: "lavapipe".to_owned(),
            software: true,
            kernels: Kernels::Plain,
            reason: DeviceReason::Asked,
            device_bytes: 100,
            excluded: Vec::new(),
        },
        not_stored: None,
    }
}

fn failed(turn: Option<u32>, kind: FailureKind) -> Event {
    Event::Failed { turn, failure: Failure { kind, message: "m".to_owned() } }
}

fn text(turn: u32, text: &str) -> Event {
    let usage = Usage { completion_tokens: 1, ..Usage::default() };
    Event::Text { turn, text: text.to_owned(), usage }
}

fn tool(turn: u32, event: ToolEvent) -> Event {
    Event::Tool { turn, event }
}

fn call(name: &str, arguments: &str) -> ToolCall {
    ToolCall { id: "call_1".to_owned(), name: name.to_owned(), arguments: Json(arguments.to_owned()) }
}

fn finished(turn: u32, reason: FinishReason) -> Event {
    Event::Finished { turn, reason, usage: Usage { completion_tokens: 7, ..Usage::default() } }
}

fn after(state: &State, actions: impl IntoIterator<Item = Action>) -> State {
    let state = actions.into_iter().fold(Rc::new(state.clone()), |state, action| state.reduce(action));
    (*state).clone()
}

fn hears(state: &State, events: Vec<Event>) -> State {
    after(state, [Action::Events(events)])
}

fn turn(state: &State) -> u32 {
    state.answer.as_ref().expect("an answer in progress").turn
}

/// The requests in the outbox by name, posted.
fn post(state: &State) -> State {
    after(state, state.outbox.last().map(|last| Action::Sent(last.number)))
}

/// A page in the named phase; its outbox has been posted, and a draft stands in the composer.
fn phase(name: &str) -> State {
    let starting = after(&State::default(), [Action::DraftChanged("draft".to_owned())]);
    let ready = || hears(&starting, vec![Event::Ready { catalogue: catalogue() }]);
    let loading = || post(&after(&ready(), [Action::Load(demo())]));
    let idle = || hears(&loading(), vec![loaded()]);
    let answering = || {
        let asked = post(&after(&idle(), [Action::Ask("q".to_owned())]));
        hears(&asked, vec![text(turn(&asked), "a")])
    };
    match name {
        "starting" => starting,
        "ready" => ready(),
        "loading" => loading(),
        "loaded" => idle(),
        "answering" => answering(),
        "answered" => {
            let answering = answering();
            hears(&answering, vec![finished(turn(&answering), FinishReason::EndOfTurn)])
        }
        "crashed" => after(&ready(), [Action::WorkerCrashed("m".to_owned())]),
        _ => panic!("no phase {name}"),
    }
}

/// What differs, in a few words; the status and the numbers are left out.
fn difference(before: &State, after: &State) -> String {
    let mut words = Vec::new();
    let mut compare = |name: &str, before: String, after: String| {
        if before != after {
            words.push(format!("{name} {after}"));
        }
    };
    compare("worker", format!("{:?}", before.worker), format!("{:?}", after.worker));
    compare("generation", before.worker_generation.to_string(), after.worker_generation.to_string());
    compare("model", model(before), model(after));
    compare("route", format!("{:?}", before.route), format!("{:?}", after.route));
    compare("choosing", before.choosing.to_string(), after.choosing.to_string());
    compare("options", format!("{:?}", before.options), format!("{:?}", after.options));
    compare(
        "sampling",
        format!("{:?}", before.sampling.temperature),
        format!("{:?}", after.sampling.temperature),
    );
    compare("url", format!("{:?}", before.url), format!("{:?}", after.url));
    compare("talk", talk(&before.conversation), talk(&after.conversation));
    compare("away", talk(&before.put_away), talk(&after.put_away));
    compare("answer", answer(before), answer(after));
    compare("benchmark", benchmark(before), benchmark(after));
    compare("draft", format!("{:?}", before.draft), format!("{:?}", after.draft));
    compare("alerts", alerts(before), alerts(after));
    compare("theme", before.theme.name().to_owned(), after.theme.name().to_owned());
    compare("posts", posts(before), posts(after));
    words.join("; ")
}

fn model(state: &State) -> String {
    match &state.model {
        ModelPhase::Absent => "absent".to_owned(),
        ModelPhase::Loading(loading) if loading.cancelling => "cancelling".to_owned(),
        ModelPhase::Loading(loading) if loading.asked => "loading, and asked".to_owned(),
        ModelPhase::Loading(loading) => {
            format!("loading {}", loading.progress.as_ref().map_or(0, |progress| progress.done_bytes))
        }
        ModelPhase::Loaded(_) => "loaded".to_owned(),
    }
}

fn talk(entries: &[Rc<Entry>]) -> String {
    let words = entries.iter().map(|entry| {
        let said = format!("{}{}", entry.text, wants(entry));
        match (entry.role, entry.ending) {
            (Role::Assistant, Some(Ending::Failed)) => format!("{said}!"),
            (Role::Assistant, Some(Ending::Finished(reason))) => format!("{said}.{reason:?}"),
            (Role::Assistant, None) => format!("{said}…"),
            _ => format!("{said}?"),
        }
    });
    format!("[{}]", words.collect::<Vec<_>>().join(" "))
}

fn wants(entry: &Entry) -> String {
    let words = entry.wants.iter().map(|wanted| match wanted {
        Wanted::Begun(name) => format!("+{name}"),
        Wanted::Call(call) => format!("+{}{}", call.name, call.arguments.0),
        Wanted::Code(code) => format!("+`{code}`"),
    });
    words.collect()
}

fn answer(state: &State) -> String {
    match &state.answer {
        None => "none".to_owned(),
        Some(answer) if answer.stopping => "stopping".to_owned(),
        Some(answer) => format!("{:?}", answer.prefill),
    }
}

fn benchmark(state: &State) -> String {
    match &state.benchmark {
        BenchmarkPhase::Absent => "absent".to_owned(),
        BenchmarkPhase::Running { stopping: true, .. } => "stopping".to_owned(),
        BenchmarkPhase::Running { progress: None, .. } => "running".to_owned(),
        BenchmarkPhase::Running { progress: Some(progress), .. } => {
            format!("{} of {}", progress.done, progress.total)
        }
        BenchmarkPhase::Done(_) => "done".to_owned(),
    }
}

fn alerts(state: &State) -> String {
    let words = state.alerts.iter().map(|alert| {
        format!("{:?}:{}", alert.failure.kind, alert.remedy.as_ref().map_or("-", |remedy| remedy.label()))
    });
    format!("[{}]", words.collect::<Vec<_>>().join(" "))
}

fn posts(state: &State) -> String {
    let words = state.outbox.iter().map(|outgoing| match &outgoing.request {
        Request::Load { .. } => "load",
        Request::Generate { .. } => "generate",
        Request::Benchmark { trials: Trials::Known } => "benchmark",
        Request::Benchmark { trials: Trials::Anew } => "benchmark with trials",
        Request::Stop => "stop",
        Request::Forget { .. } => "forget",
    });
    format!("[{}]", words.collect::<Vec<_>>().join(" "))
}

const PHASES: [&str; 7] = ["starting", "ready", "loading", "loaded", "answering", "answered", "crashed"];

/// One expectation for each of [`PHASES`].
#[track_caller]
fn check(action: Action, expected: [&str; 7]) {
    for (name, expected) in PHASES.into_iter().zip(expected) {
        let before = phase(name);
        let got = difference(&before, &after(&before, [action.clone()]));
        assert_eq!(got, expected, "{action:?} while {name}");
    }
}

#[test]
fn every_load_action_in_every_phase() {
    const LOADS: &str = "model loading 0; choosing true; posts [load]";
    check(Action::Load(demo()), ["", LOADS, "", LOADS, "", LOADS, ""]);
    check(Action::CancelLoad, ["", "", "model cancelling; posts [stop]", "", "", "", ""]);
    const NO_URL: &str = "alerts [ModelFile:-]";
    check(Action::LoadUrl, ["", NO_URL, "", NO_URL, "", NO_URL, ""]);
    check(Action::UrlChanged("u".to_owned()), [r#"url "u""#; 7]);
    const OPTIONS: &str = "options LoadOptions { device: Cpu, context: Some(1024), kv: F32, quantize: Q8 }";
    check(Action::OptionsChanged(small()), [OPTIONS; 7]);
    let typed = |text: &str| Action::SettingTyped(Setting::Temperature, text.to_owned());
    check(typed("0.5"), ["sampling Some(0.5)"; 7]);
    check(typed("warm"), [""; 7]);
    check(Action::SamplingReset, [""; 7]);
    const FORGETS: &str = "posts [forget]";
    check(Action::Forget(DEMO.to_owned()), ["", FORGETS, FORGETS, FORGETS, FORGETS, FORGETS, ""]);
    const SHOWS: &str = "choosing true";
    check(Action::ToggleModels, [SHOWS, SHOWS, "choosing false", SHOWS, SHOWS, SHOWS, SHOWS]);
}

#[test]
fn every_chat_action_in_every_phase() {
    const SENDS: &str = r#"talk [draft? …]; answer None; draft ""; posts [generate]"#;
    const SENDS_AGAIN: &str = r#"talk [q? a.EndOfTurn draft? …]; answer None; draft ""; posts [generate]"#;
    check(Action::Send, ["", "", "model loading, and asked", SENDS, "", SENDS_AGAIN, ""]);
    const ASKS: &str = "talk [x? …]; answer None; posts [generate]";
    const ASKS_AGAIN: &str = "talk [q? a.EndOfTurn x? …]; answer None; posts [generate]";
    check(Action::Ask("x".to_owned()), ["", "", "", ASKS, "", ASKS_AGAIN, ""]);
    check(Action::Ask(" \n".to_owned()), [""; 7]);
    const AGAIN: &str = "talk [q? …]; answer None; posts [generate]";
    check(Action::Regenerate, ["", "", "", "", "", AGAIN, ""]);
    check(Action::Stop, ["", "", "", "", "answer stopping; posts [stop]", "", ""]);
    const AWAY: &str = "talk []; away [q? a.EndOfTurn]";
    const AWAY_STOPPED: &str = "talk []; away [q? a.Stopped]; answer none; posts [stop]";
    check(Action::NewChat, ["", "", "choosing false", "", AWAY_STOPPED, AWAY, "alerts []"]);
    check(Action::BringBack, [""; 7]);
    check(Action::DraftChanged("d".to_owned()), [r#"draft "d""#; 7]);
}

#[test]
fn every_other_action_in_every_phase() {
    check(Action::Events(Vec::new()), [""; 7]);
    check(Action::Dismiss(u32::MAX), [""; 7]);
    check(Action::Sent(u32::MAX), [""; 7]);
    check(Action::ThemeChanged(Theme::Dark), ["theme dark"; 7]);
    const CRASHES: &str = "worker Crashed; alerts [Internal:Restart]";
    const LOSES: &str = "worker Crashed; model absent; alerts [Internal:Restart]";
    const BREAKS: &str = "worker Crashed; model absent; talk [q? a!]; answer none; alerts [Internal:Restart]";
    let crash = Action::WorkerCrashed("m".to_owned());
    check(crash, [CRASHES, CRASHES, LOSES, LOSES, BREAKS, LOSES, ""]);
    const RESTARTS: &str = "worker Starting; generation 1; choosing true; alerts []";
    assert_eq!(difference(&phase("crashed"), &after(&phase("crashed"), [Action::RestartWorker])), RESTARTS);
}

#[test]
fn every_event_about_loading_in_every_phase() {
    let event = |event: Event| Action::Events(vec![event]);
    let ready = event(Event::Ready { catalogue: catalogue() });
    check(ready, ["worker Ready", "", "", "", "", "", "worker Ready"]);
    let loading = event(Event::Loading { progress: progress(40) });
    check(loading, ["", "", "model loading 40", "", "", "", ""]);
    check(event(loaded()), ["", "", "model loaded; choosing false", "", "", "", ""]);
    check(event(Event::LoadStopped), ["", "", "model absent", "", "", "", ""]);
    check(event(Event::Forgotten { url: DEMO.to_owned() }), [""; 7]);
}

#[test]
fn a_model_of_the_catalogue_has_its_name_and_is_stored_unless_the_worker_says_otherwise() {
    let named = |state: &State| match &state.model {
        ModelPhase::Loaded(loaded) => loaded.model.name.clone(),
        _ => panic!("no model"),
    };
    let stored = hears(&phase("loading"), vec![loaded()]);
    assert_eq!((named(&stored).as_str(), stored.catalogue[0].stored, stored.alerts.len()), ("Demo", true, 0));

    let Event::Loaded { model, device, .. } = loaded() else { panic!("not loaded") };
    let failure = Failure { kind: FailureKind::Storage, message: "full".to_owned() };
    let not_stored = Event::Loaded { model, device, not_stored: Some(failure) };
    let full = hears(&phase("loading"), vec![not_stored]);
    assert_eq!((named(&full).as_str(), full.catalogue[0].stored, full.alerts.len()), ("Demo", false, 1));
}

#[test]
fn failures_in_every_phase() {
    const LOADED: &str = "Reload the model";
    // Kind, then what happens while loading, while a model waits, and while it answers.
    for (kind, loading, waiting, answering) in [
        (
            FailureKind::NoWebGpu,
            "model absent; alerts [NoWebGpu:-]",
            "alerts [NoWebGpu:-]",
            "alerts [NoWebGpu:-]",
        ),
        (
            FailureKind::Network,
            "model absent; alerts [Network:Retry]",
            "alerts [Network:-]",
            "alerts [Network:-]",
        ),
        (
            FailureKind::Storage,
            "model absent; alerts [Storage:Retry]",
            "alerts [Storage:-]",
            "alerts [Storage:-]",
        ),
        (
            FailureKind::ModelFile,
            "model absent; alerts [ModelFile:-]",
            "alerts [ModelFile:-]",
            "alerts [ModelFile:-]",
        ),
        (
            FailureKind::LoadOptions,
            "model absent; alerts [LoadOptions:-]",
            "alerts [LoadOptions:-]",
            "alerts [LoadOptions:-]",
        ),
        (
            FailureKind::OutOfMemory,
            "model absent; alerts [OutOfMemory:-]",
            "alerts [OutOfMemory:New chat]",
            "alerts [OutOfMemory:New chat]",
        ),
        (
            FailureKind::DeviceLost,
            "model absent; alerts [DeviceLost:Retry]",
            &format!("model absent; alerts [DeviceLost:{LOADED}]"),
            &format!("model absent; talk [q? a!]; answer none; alerts [DeviceLost:{LOADED}]"),
        ),
        (
            FailureKind::Sampling,
            "model absent; alerts [Sampling:Retry]",
            "alerts [Sampling:-]",
            "alerts [Sampling:-]",
        ),
        (
            FailureKind::Internal,
            "model absent; alerts [Internal:Retry]",
            "alerts [Internal:-]",
            "alerts [Internal:-]",
        ),
    ] {
        for (name, expected) in [("loading", loading), ("loaded", waiting), ("answering", answering)] {
            let before = phase(name);
            let got = difference(&before, &hears(&before, vec![failed(None, kind)]));
            assert_eq!(got, expected, "{kind:?} while {name}");
        }
    }
}
