//! `State` and `Action` in, `State` out: what happens when something happens.

use std::rc::Rc;

use protocol::{Event, Failure, FailureKind, Request};
use yew::Reducible;

use super::{Action, Alert, ModelPhase, State, WorkerPhase};
use crate::advice::remedy;

/// More than a few alerts at once say nothing; the oldest go.
const MAX_ALERTS: usize = 3;

impl Reducible for State {
    type Action = Action;

    fn reduce(self: Rc<Self>, action: Action) -> Rc<Self> {
        let mut next = Rc::unwrap_or_clone(self);
        next.apply(action);
        Rc::new(next)
    }
}

impl State {
    pub(super) fn apply(&mut self, action: Action) {
        match action {
            Action::Events(events) => events.into_iter().for_each(|event| self.hear(event)),
            Action::WorkerCrashed(message) => self.worker_crashed(message),
            Action::RestartWorker => self.restart_worker(),
            Action::Sent(number) => self.outbox.retain(|outgoing| outgoing.number > number),
            Action::Dismiss(id) => self.alerts.retain(|alert| alert.id != id),
            Action::Load(source) => self.load(source),
            Action::OptionsChanged(options) => self.options = options,
            Action::SettingTyped(setting, typed) => self.setting_typed(setting, typed),
            Action::SamplingReset => self.reset_sampling(),
            Action::UrlChanged(url) => self.url = url,
            Action::LoadUrl => self.load_url(),
            Action::CancelLoad => self.cancel_load(),
            Action::Forget(url) => self.forget(url),
            Action::ToggleModels => self.choosing = !self.choosing,
            Action::DraftChanged(draft) => self.change_draft(draft),
            Action::Send => self.send_draft(),
            Action::Ask(question) => self.ask(question),
            Action::Regenerate => self.regenerate(),
            Action::Stop => {
                self.stop_answer();
                self.stop_benchmark();
            }
            Action::StartBenchmark(trials) => self.start_benchmark(trials),
            Action::Routed(route) => self.route = route,
            Action::NewChat => self.new_chat(),
            Action::BringBack => self.bring_back(),
            Action::ThemeChanged(theme) => self.theme = theme,
        }
    }

    fn hear(&mut self, event: Event) {
        match event {
            Event::Ready { catalogue } => {
                self.worker = WorkerPhase::Ready;
                self.catalogue = catalogue.into();
            }
            Event::Loading { progress } => self.load_came_further(progress),
            Event::Loaded { model, device, not_stored } => self.load_done(*model, device, not_stored),
            Event::LoadStopped => self.load_stopped(),
            Event::Benchmarking { progress } => self.benchmark_came_further(progress),
            Event::Benchmarked { report } => self.benchmark_done(*report),
            Event::BenchmarkStopped => self.benchmark_ended("The benchmark was stopped."),
            Event::Forgotten { url } => self.mark_stored(&url, Stored::No),
            Event::Prefill { turn, done, total } => self.prompt_read(turn, (done, total)),
            Event::Text { turn, text, usage } => self.text_came(turn, &text, usage),
            // Nobody has asked for them.
            Event::LogProbs { .. } => {}
            Event::Tool { turn, event } => self.tool_came(turn, event),
            Event::Finished { turn, reason, usage } => self.answer_finished(turn, reason, usage),
            Event::Failed { turn, failure } => self.failed(turn, failure),
        }
    }

    fn failed(&mut self, turn: Option<u32>, failure: Failure) {
        let current = self.answer.as_ref().map(|answer| answer.turn);
        let device_gone = failure.kind == FailureKind::DeviceLost;
        if turn.is_some() && turn != current && !device_gone {
            return; // An answer that the person has left behind.
        }
        let loading = matches!(self.model, ModelPhase::Loading(_));
        // The remedy depends on what was going on, so it is chosen before that ends.
        self.alert(failure.clone());
        if turn.is_some() || device_gone {
            self.answer_failed(failure.kind);
        }
        if turn.is_none() {
            self.benchmark_ended("The benchmark failed.");
        }
        if device_gone || (loading && turn.is_none()) {
            self.model = ModelPhase::Absent;
            self.status = "The model is not loaded.";
        }
    }

    fn worker_crashed(&mut self, message: String) {
        if self.worker == WorkerPhase::Crashed {
            return;
        }
        self.worker = WorkerPhase::Crashed;
        self.alert(Failure { kind: FailureKind::Internal, message });
        self.answer_failed(FailureKind::Internal);
        self.benchmark_ended("The benchmark failed.");
        self.model = ModelPhase::Absent;
        self.outbox.clear();
        self.status = "The engine has stopped.";
    }

    fn restart_worker(&mut self) {
        self.answer_failed(FailureKind::Internal);
        self.benchmark_ended("The benchmark failed.");
        self.worker = WorkerPhase::Starting;
        self.worker_generation = self.worker_generation.wrapping_add(1);
        self.model = ModelPhase::Absent;
        self.outbox.clear();
        self.alerts.clear();
        self.choosing = true;
    }

    /// Shows a failure once: the same one again takes the place of the first.
    pub(super) fn alert(&mut self, failure: Failure) {
        self.alerts.retain(|alert| alert.failure != failure);
        if self.alerts.len() >= MAX_ALERTS {
            self.alerts.remove(0);
        }
        let remedy = remedy(self, failure.kind);
        let id = self.next_number();
        self.alerts.push(Alert { id, failure, remedy });
    }

    fn forget(&mut self, url: String) {
        if self.worker == WorkerPhase::Ready {
            self.request(Request::Forget { url });
        }
    }

    pub(super) fn mark_stored(&mut self, url: &str, stored: Stored) {
        let mut catalogue = self.catalogue.to_vec();
        for entry in catalogue.iter_mut().filter(|entry| entry.url == url) {
            entry.stored = stored == Stored::Yes;
        }
        self.catalogue = catalogue.into();
    }
}

/// Whether a model's bytes are on this machine.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stored {
    Yes,
    No,
}
