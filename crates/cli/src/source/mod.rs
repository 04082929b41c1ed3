//! Where a model's bytes come from: files of this machine, or a server with the disk as its cache.

mod aside;
mod disk;
mod file;
mod folder;
mod http;
mod site;
mod weights;

pub(crate) use weights::{Weights, open_weights};

use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result};
use chat::{Template, Tokenizer};
use engine::{Engine, EngineError, LoadOptions, Origin, Pause, Tune, Tuner};
use protocol::Excluded;
use store::{Files, NoStore, Store};

use crate::args::{GuessArgs, ModelArgs};
use crate::location::Location;
use crate::output::tell;
use crate::progress::LoadBar;
use aside::DiskAside;
use disk::DiskStore;
use folder::Folder;
use site::Site;

/// What is known of a model without its weights.
pub(crate) struct Header {
    /// The model's path or address.
    pub(crate) file: String,
    /// What its files say and mean.
    pub(crate) header: engine::Header,
}

impl Header {
    /// The model's tokenizer.
    pub(crate) fn tokenizer(&self) -> Result<Tokenizer, EngineError> {
        engine::tokenizer(&self.header.checkpoint)
    }

    /// The model's chat template.
    pub(crate) fn template(&self) -> Result<Template, EngineError> {
        engine::template(&self.header.checkpoint, &self.tokenizer()?)
    }
}

/// Reads a model's header: from the cache if it is there, else by short ranges.
pub(crate) fn read_header(model: &ModelArgs) -> Result<Header> {
    let header = match &model.location {
        Location::Path(path) => header_from(&open(path)?, &NoStore),
        Location::Url(url) => match cache(model)? {
            Some(disk) => header_from(&Site::new(url)?, &disk),
            None => header_from(&Site::new(url)?, &NoStore),
        },
    }?;
    Ok(Header { file: model.location.to_string(), header })
}

/// Reads the header of a model in a folder of this machine.
pub(crate) fn read_folder_header(path: &Path) -> Result<engine::Header> {
    Ok(header_from(&open(path)?, &NoStore)?)
}

/// Loads a model, with a bar on stderr if that is a terminal. Kernels are tried on a GPU that has not met it yet.
pub(crate) fn load(model: &ModelArgs, options: LoadOptions) -> Result<Engine> {
    load_tuned(model, options, Tune::Once)
}

/// The same; says when kernels are tried.
pub(crate) fn load_tuned(model: &ModelArgs, options: LoadOptions, when: Tune) -> Result<Engine> {
    let kept = tuning(model, when);
    let engine = match &model.location {
        Location::Path(path) => load_from(&open(path)?, &NoStore, options, kept, LoadBar::new("Reading")),
        Location::Url(url) => {
            let (site, bar) = (Site::new(url)?, LoadBar::new("Downloading"));
            match cache(model)? {
                Some(disk) => load_from(&site, &disk, options, kept, bar),
                None => load_from(&site, &NoStore, options, kept, bar),
            }
        }
    }?;
    for warning in &engine.info().warnings {
        tell(&format!("pronk: {warning}"));
    }
    for Excluded { kernels, reason } in &engine.device().excluded {
        tell(&format!("pronk: Kernels {} are not used on this device. {reason}", kernels.words()));
    }
    if let Some(failure) = engine.not_stored() {
        tell(&format!("pronk: The model runs, but was not kept for the next time. {}", failure.message));
    }
    Ok(engine)
}

/// Where what comes of trying kernels is kept, and when they are tried: not by itself where nothing is kept, since that would
/// be each time.
fn tuning(model: &ModelArgs, when: Tune) -> (DiskAside, Tune) {
    let aside = if model.no_cache { DiskAside::nowhere() } else { DiskAside::of_user() };
    let when = if when == Tune::Once && !aside.keeps() { Tune::Never } else { when };
    (aside, when)
}

/// The same, with tokens guessed ahead as `guess` says.
pub(crate) fn load_to_answer(model: &ModelArgs, guess: &GuessArgs, options: LoadOptions) -> Result<Engine> {
    let mut engine = load(model, options)?;
    engine.speculate(guess.speculate());
    if let Some(draft) = guess.draft(model) {
        engine.assist_by(load(&draft, options)?)?;
    }
    Ok(engine)
}

fn open(path: &Path) -> Result<Folder> {
    Folder::of(path).with_context(|| format!("The model {} can't be read", path.display()))
}

fn cache(model: &ModelArgs) -> Result<Option<DiskStore>> {
    match model.no_cache {
        true => Ok(None),
        false => DiskStore::of_user()
            .map(Some)
            .context("There is no folder to keep models in; set HOME or XDG_CACHE_HOME, or use --no-cache"),
    }
}

fn header_from<F: Files, T: Store>(files: &F, store: &T) -> Result<engine::Header, EngineError> {
    pollster::block_on(engine::read_header(Origin { files, store }))
}

fn load_from<F: Files, T: Store>(
    files: &F,
    store: &T,
    options: LoadOptions,
    (aside, when): (DiskAside, Tune),
    bar: LoadBar,
) -> Result<Engine, EngineError> {
    // Nothing else waits on this thread.
    let pause: Pause = Rc::new(|| Box::pin(async { std::thread::sleep(Duration::from_millis(1)) }));
    let tuner = Tuner::new(&aside, when, &|| "terminal".to_owned(), pause);
    let on_progress = &mut |progress| bar.show(&progress);
    pollster::block_on(Engine::load_tuned(Origin { files, store }, options, &tuner, on_progress))
}
