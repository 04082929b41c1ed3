//! Where a model's bytes come from: files of this machine, or a server with the disk as its cache.

mod disk;
mod file;
mod folder;
mod http;
mod site;
mod weights;

pub(crate) use weights::{Weights, open_weights};

use std::path::Path;

use anyhow::{Context, Result};
use chat::{Template, Tokenizer};
use engine::{Engine, EngineError, LoadOptions, Origin};
use store::{Files, NoStore, Store};

use crate::args::{GuessArgs, ModelArgs};
use crate::location::Location;
use crate::output::tell;
use crate::progress::LoadBar;
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

/// Loads a model, with a bar on stderr if that is a terminal.
pub(crate) fn load(model: &ModelArgs, options: LoadOptions) -> Result<Engine> {
    let engine = match &model.location {
        Location::Path(path) => load_from(&open(path)?, &NoStore, options, LoadBar::new("Reading")),
        Location::Url(url) => {
            let (site, bar) = (Site::new(url)?, LoadBar::new("Downloading"));
            match cache(model)? {
                Some(disk) => load_from(&site, &disk, options, bar),
                None => load_from(&site, &NoStore, options, bar),
            }
        }
    }?;
    for warning in &engine.info().warnings {
        tell(&format!("pronk: {warning}"));
    }
    if let Some(failure) = engine.not_stored() {
        tell(&format!("pronk: The model runs, but was not kept for the next time. {}", failure.message));
    }
    Ok(engine)
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
    bar: LoadBar,
) -> Result<Engine, EngineError> {
    pollster::block_on(Engine::load(Origin { files, store }, options, &mut |progress| bar.show(&progress)))
}
