//! What the page knows, and all that can happen to it.
//!
//! [`State::reduce`](reduce) is pure. What it wants of the worker it puts into [`State::outbox`], numbered;
//! the page posts each request once and answers with [`Action::Sent`].

mod answer;
mod benchmark;
mod entry;
mod load;
mod reduce;
mod sampling;
#[cfg(test)]
mod tests;

use std::rc::Rc;

use protocol::{
    CatalogueEntry, DeviceReport, Event, Failure, LoadOptions, LoadProgress, ModelInfo, ModelSource, Request,
    Sampling, Trials, Usage,
};

pub(crate) use benchmark::BenchmarkPhase;
pub(crate) use entry::{Ending, Entry, Wanted};
pub(crate) use sampling::Setting;

use crate::advice::Remedy;
use crate::route::Route;
use crate::theme::Theme;

/// Everything the page shows.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct State {
    /// How the worker is.
    pub worker: WorkerPhase,
    /// Counts the workers started; a new number starts a new one.
    pub worker_generation: u32,
    /// What the site offers.
    pub catalogue: Rc<[CatalogueEntry]>,
    /// The model, if there is one.
    pub model: ModelPhase,
    /// What the page's address asks for.
    pub route: Route,
    /// Whether the person is choosing a model while there is a conversation to go back to.
    pub choosing: bool,
    /// How the next model is loaded; for this visit only.
    pub options: LoadOptions,
    /// How tokens are drawn from the next answer on; for this visit only.
    pub sampling: Sampling,
    /// What was typed for a setting and is none: nothing is sent until it is mended.
    pub mistyped: Vec<(Setting, String)>,
    /// The address typed into "Load from a URL".
    pub url: String,
    /// The conversation, oldest first.
    pub conversation: Vec<Rc<Entry>>,
    /// The conversation that "New chat" put away, until another one begins.
    pub put_away: Vec<Rc<Entry>>,
    /// The answer in progress; its text is the last entry of the conversation.
    pub answer: Option<Answer>,
    /// Figures of the latest answer.
    pub usage: Option<Usage>,
    /// The benchmark, if there is or was one.
    pub benchmark: BenchmarkPhase,
    /// What is being written.
    pub draft: String,
    /// What went wrong and has not been dismissed, oldest first.
    pub alerts: Vec<Alert>,
    /// One sentence for screen readers.
    pub status: &'static str,
    /// Light or dark.
    pub theme: Theme,
    /// Requests that have not been posted yet.
    pub outbox: Vec<Outgoing>,
    /// The last number given to a turn, an entry, an alert or a request.
    last_number: u32,
}

/// The worker's life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum WorkerPhase {
    /// Its module is being loaded; it hears nothing yet.
    #[default]
    Starting,
    /// It hears requests.
    Ready,
    /// It has ended, and with it the model.
    Crashed,
}

/// The model's life.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum ModelPhase {
    /// None has been loaded, or it is gone. `source` is where the last one came from.
    #[default]
    Absent,
    /// On its way.
    Loading(Rc<Loading>),
    /// Ready to answer.
    Loaded(Rc<Loaded>),
}

/// A load in progress.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Loading {
    /// Where from.
    pub source: ModelSource,
    /// How.
    pub options: LoadOptions,
    /// How far; `None` until the worker has said.
    pub progress: Option<LoadProgress>,
    /// Whether the person has asked to stop it.
    pub cancelling: bool,
    /// Whether the draft is a question that waits for the model.
    pub asked: bool,
}

/// A model that can answer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Loaded {
    /// Where from.
    pub source: ModelSource,
    /// As it was asked for.
    pub options: LoadOptions,
    /// The model.
    pub model: ModelInfo,
    /// What it runs on.
    pub device: DeviceReport,
}

/// The answer in progress.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Its number in the protocol.
    pub turn: u32,
    /// Prompt tokens read, and how many there are.
    pub prefill: Option<(u32, u32)>,
    /// Whether the person has asked to stop it.
    pub stopping: bool,
}

/// A failure on the page.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Alert {
    /// Its key in the list.
    pub id: u32,
    /// What happened.
    pub failure: Failure,
    /// What the button beside it does, if there is one.
    pub remedy: Option<Remedy>,
}

/// A request on its way to the worker.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Outgoing {
    /// Rises from request to request.
    pub number: u32,
    /// The request.
    pub request: Request,
}

/// Everything that can happen.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Action {
    /// What the worker said since the last animation frame, in order.
    Events(Vec<Event>),
    /// The worker threw, would not start, or spoke another protocol.
    WorkerCrashed(String),
    /// Start another worker.
    RestartWorker,
    /// The requests up to this number have been posted.
    Sent(u32),
    /// Close an alert.
    Dismiss(u32),
    /// Load a model.
    Load(ModelSource),
    /// Load models so from now on.
    OptionsChanged(LoadOptions),
    /// Draw tokens so from now on; what was typed need not be a number.
    SettingTyped(Setting, String),
    /// Draw tokens as the model's makers want it.
    SamplingReset,
    /// The address field has changed.
    UrlChanged(String),
    /// Load from the address field.
    LoadUrl,
    /// Stop the load.
    CancelLoad,
    /// Remove a model's stored bytes.
    Forget(String),
    /// Show the models in place of the conversation, or the other way round.
    ToggleModels,
    /// The composer has changed.
    DraftChanged(String),
    /// Send what is in the composer.
    Send,
    /// Send this.
    Ask(String),
    /// Answer the last question again.
    Regenerate,
    /// Stop the answer or the benchmark.
    Stop,
    /// Measure the model, and try its kernels before, perhaps.
    StartBenchmark(Trials),
    /// The page's address has changed.
    Routed(Route),
    /// Put the conversation away.
    NewChat,
    /// Bring back the conversation that was put away.
    BringBack,
    /// Change the theme.
    ThemeChanged(Theme),
}

impl State {
    /// The page as it opens.
    pub(crate) fn first(theme: Theme, route: Route) -> State {
        State { theme, route, ..State::default() }
    }

    /// Whether the models stand in the main part of the page, in place of the conversation or the benchmark.
    pub(crate) fn shows_models(&self) -> bool {
        let has_more = match self.route {
            Route::Chat => !self.conversation.is_empty(),
            Route::Benchmark => false,
        };
        self.choosing || (self.loaded().is_none() && !has_more)
    }

    /// The model, if it can answer.
    pub(crate) fn loaded(&self) -> Option<&Rc<Loaded>> {
        match &self.model {
            ModelPhase::Loaded(loaded) => Some(loaded),
            _ => None,
        }
    }

    /// What the model is busy with.
    pub(crate) fn busy(&self) -> Option<&'static str> {
        let answer = self.answer.as_ref().map(|_| "answer");
        answer.or(self.benchmark.is_running().then_some("benchmark"))
    }

    /// Whether a model may be loaded now.
    pub(crate) fn can_load(&self) -> bool {
        self.worker == WorkerPhase::Ready
            && self.busy().is_none()
            && !matches!(self.model, ModelPhase::Loading(_))
    }

    /// Why nothing can be sent now; `None` where a question would be answered.
    pub(crate) fn blocker(&self) -> Option<&'static str> {
        match (&self.worker, &self.model) {
            (WorkerPhase::Crashed, _) => Some("The engine has stopped. Restart it to go on."),
            (_, ModelPhase::Loaded(_)) if self.benchmark.is_running() => {
                Some("The benchmark is still running.")
            }
            (_, ModelPhase::Loaded(_)) => self.mistyped.first().map(|(setting, _)| setting.refusal()),
            (_, ModelPhase::Loading(loading)) if loading.asked => {
                Some("Your message will be sent once the model is ready.")
            }
            (_, ModelPhase::Loading(_)) => Some("The model is still loading."),
            (WorkerPhase::Starting, _) => Some("The engine is starting."),
            (WorkerPhase::Ready, ModelPhase::Absent) => Some("Load a model to start."),
        }
    }

    /// Whether what is in the composer can be sent, now or once the model is there.
    pub(crate) fn can_send(&self) -> bool {
        let waits = matches!(&self.model, ModelPhase::Loading(loading) if !loading.asked);
        self.blocker().is_none() || waits
    }

    /// Whether the last question can be answered again.
    pub(crate) fn can_regenerate(&self) -> bool {
        self.answer.is_none() && self.blocker().is_none() && !self.conversation.is_empty()
    }

    fn next_number(&mut self) -> u32 {
        self.last_number = self.last_number.wrapping_add(1);
        self.last_number
    }

    fn request(&mut self, request: Request) {
        let number = self.next_number();
        self.outbox.push(Outgoing { number, request });
    }
}
