//! One request after the other; Stop is heard in between.

use std::rc::Rc;

use engine::{Backend, Engine, EngineError, GenerateEvent, Origin, StopFlag, Tune, Tuner};
use futures_util::StreamExt;
use futures_util::future::abortable;
use protocol::{
    BenchmarkProgress, BenchmarkReport, BenchmarkStage, Conversation, Device, Event, Failure, FailureKind,
    GenerateOptions, LoadOptions, ModelSource, Request, Trials,
};
use web_sys::File;

use crate::deputy::Asked;
use crate::fetch;
use crate::file::Picked;
use crate::held::NotKept;
use crate::indexed_db::IndexedDb;
use crate::nudge;
use crate::port::{Letter, breathe, letters, tell, user_agent};
use crate::request_device::vendor_and_architecture;
use crate::site::Site;
use crate::work::Work;

/// Hears requests for as long as the worker lives.
pub(crate) async fn run() {
    let work = Work::new(Rc::new(|| Box::pin(breathe())));
    let heard = work.clone();
    let mut letters = letters(move |request| heard.hear(request));
    let store = IndexedDb::default();
    let mut session = Session { work, store, engine: None, deputy: Asked::default() };
    tell(&Event::Ready { catalogue: session.catalogue().await });
    while let Some(letter) = letters.next().await {
        session.handle(letter).await;
    }
}

struct Session {
    work: Work,
    store: IndexedDb,
    engine: Option<Engine>,
    /// Who may compute half of the layers.
    deputy: Asked,
}

impl Session {
    async fn handle(&mut self, Letter { request, files, heard }: Letter) {
        self.work.begin_turn();
        self.share().await;
        match request {
            Request::Load { .. } if self.work.is_over(heard) => tell(&Event::LoadStopped),
            Request::Load { source, options } => self.load(source, options, files).await,
            Request::Generate { turn, messages, tools, options } => {
                let stop = self.work.begin_answer(heard);
                let tools = tools.filter(|tools| !tools.is_empty_list());
                let conversation = Conversation { tools, ..Conversation::from(messages) };
                self.generate(turn, &conversation, &options, &stop).await;
            }
            Request::Benchmark { trials } => {
                let stop = self.work.begin_answer(heard);
                self.benchmark(trials, &stop).await;
            }
            Request::Forget { url } => self.forget(url).await,
            // Already heard: `Work::hear`.
            Request::Stop => {}
        }
    }

    /// What the site offers, with a mark on what is stored here.
    async fn catalogue(&self) -> Vec<protocol::CatalogueEntry> {
        let mut catalogue = fetch::catalogue().await;
        for entry in &mut catalogue {
            if let Ok(files) = Site::new(&entry.url, &entry.pieces) {
                entry.stored = engine::is_kept(Origin { files: &files, store: &self.store }).await;
            }
        }
        catalogue
    }

    async fn load(&mut self, source: ModelSource, options: LoadOptions, files: Vec<File>) {
        // Two models at once may be more than the device holds.
        self.engine = None;
        self.deputy = Asked::default();
        let device = options.device;
        let tuner = tuner(&self.store, Tune::Once);
        let (load, handle) = abortable(load(source, options, files, &self.store, &tuner));
        self.work.begin_load(handle);
        let loaded = load.await;
        if loaded.is_err() {
            tuner.take_back().await;
        }
        self.work.end_load();
        match loaded {
            Ok(Ok(mut engine)) => {
                if let Some(pause) = nudge::pause() {
                    engine.nudge_after(pause);
                }
                let (model, report) = (Box::new(engine.info().clone()), engine.device().clone());
                tell(&Event::Loaded { model, device: report, not_stored: engine.not_stored().cloned() });
                if matches!(engine.backend(), Backend::Cpu(_)) && device != Device::OneCore {
                    self.deputy = Asked::ask();
                }
                let stop = self.work.begin_beginning();
                // Whatever is wrong, the first question will say so.
                drop(engine.read_beginning(&stop).await);
                self.engine = Some(engine);
                self.share().await;
            }
            Ok(Err(failure)) => tell(&Event::Failed { turn: None, failure }),
            Err(_) => tell(&Event::LoadStopped),
        }
    }

    /// Gives half of the layers to a deputy, once there is one. What was read by then goes along.
    async fn share(&mut self) {
        let Some((engine, line)) = self.engine.as_mut().zip(self.deputy.take()) else { return };
        if let Err(error) = engine.share(line).await {
            self.failed(None, &error);
        }
    }

    async fn generate(
        &mut self,
        turn: u32,
        conversation: &Conversation,
        options: &GenerateOptions,
        stop: &StopFlag,
    ) {
        let Some(engine) = &mut self.engine else {
            return tell(&Event::Failed { turn: Some(turn), failure: no_model() });
        };
        let on_event = &mut |event| match event {
            GenerateEvent::Prefill { done, total } => tell(&Event::Prefill { turn, done, total }),
            GenerateEvent::Text { text, usage } => tell(&Event::Text { turn, text, usage }),
            GenerateEvent::LogProbs(logprobs) => tell(&Event::LogProbs { turn, logprobs }),
            GenerateEvent::Tool(event) => tell(&Event::Tool { turn, event }),
        };
        match engine.chat(conversation, options, stop, on_event).await {
            Ok(answer) => tell(&Event::Finished { turn, reason: answer.reason, usage: answer.usage }),
            Err(error) => self.failed(Some(turn), &error),
        }
    }

    async fn benchmark(&mut self, trials: Trials, stop: &StopFlag) {
        let Some(engine) = &mut self.engine else {
            return tell(&Event::Failed { turn: None, failure: no_model() });
        };
        if trials == Trials::Anew {
            let progress = BenchmarkProgress { stage: BenchmarkStage::Kernels, done: 0, total: 1 };
            tell(&Event::Benchmarking { progress });
            engine.try_kernels(&tuner(&self.store, Tune::Anew), stop).await;
        }
        let on_progress = &mut |progress| tell(&Event::Benchmarking { progress });
        match engine.benchmark(stop, on_progress).await {
            Ok(Some(report)) => tell(&Event::Benchmarked { report: Box::new(with_browser(report)) }),
            Ok(None) => tell(&Event::BenchmarkStopped),
            Err(error) => self.failed(None, &error),
        }
    }

    fn failed(&mut self, turn: Option<u32>, error: &EngineError) {
        let failure = error.failure();
        // A lost device takes the model with it.
        if failure.kind == FailureKind::DeviceLost {
            self.engine = None;
        }
        tell(&Event::Failed { turn, failure });
    }

    async fn forget(&mut self, url: String) {
        let forgotten = match Site::new(&url, &[]) {
            Ok(files) => engine::forget(Origin { files: &files, store: &self.store }).await,
            Err(error) => Err(error),
        };
        match forgotten {
            Ok(()) => tell(&Event::Forgotten { url }),
            Err(error) => tell(&Event::Failed { turn: None, failure: EngineError::from(error).failure() }),
        }
    }
}

fn no_model() -> Failure {
    let message = "No model is loaded. Load one first.".to_string();
    Failure { kind: FailureKind::Prompt, message }
}

/// The report with what the engine cannot know: the browser, and what it says of the GPU.
fn with_browser(mut report: BenchmarkReport) -> BenchmarkReport {
    report.browser = user_agent();
    if let Some(adapter) = &mut report.adapter {
        adapter.vendor = Some(vendor_and_architecture()).filter(|vendor| !vendor.is_empty());
    }
    report
}

/// What comes of trying kernels rests beside the models, wherever a model came from.
fn tuner(store: &IndexedDb, when: Tune) -> Tuner<'_, IndexedDb> {
    Tuner::new(store, when, &platform, nudge::pauses())
}

/// What bears on kernels and the device does not say.
fn platform() -> String {
    format!("{} {}", user_agent().unwrap_or_default(), vendor_and_architecture())
}

async fn load(
    source: ModelSource,
    options: LoadOptions,
    picked: Vec<File>,
    store: &IndexedDb,
    tuner: &Tuner<'_, IndexedDb>,
) -> Result<Engine, Failure> {
    let options = options.into();
    let on_progress = &mut |progress| tell(&Event::Loading { progress });
    let loaded = match source {
        ModelSource::Url { url, pieces } => {
            let site = Site::new(&url, &pieces).map_err(|error| EngineError::from(error).failure())?;
            Engine::load_tuned(Origin { files: &site, store }, options, tuner, on_progress).await
        }
        ModelSource::File { name } => {
            if picked.is_empty() {
                let message = format!("{name} did not arrive; pick the file again.");
                return Err(Failure { kind: FailureKind::ModelFile, message });
            }
            let files = Picked::new(picked, name);
            Engine::load_tuned(Origin { files: &files, store: &NotKept }, options, tuner, on_progress).await
        }
    };
    loaded.map_err(|error| error.failure())
}
