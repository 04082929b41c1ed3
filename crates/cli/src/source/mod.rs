//! Where a model's bytes come from: a file, or a server with the disk as its cache.

mod disk;
mod file;
mod http;

use std::path::Path;

use anyhow::{Context, Result};
use chat::{Template, Tokenizer};
use engine::{Engine, EngineError, LoadOptions, Origin};
use format::{Checkpoint, Gguf};
use store::{NoStore, Source, Store};

use crate::args::ModelArgs;
use crate::location::Location;
use crate::output::tell;
use crate::progress::LoadBar;
use disk::DiskStore;
use file::FileSource;
use http::HttpSource;

/// What is known of a model without its weights.
pub(crate) struct Header {
    /// The file's path or address.
    pub(crate) file: String,
    /// What the file says.
    pub(crate) gguf: Gguf,
    /// What it means.
    pub(crate) checkpoint: Checkpoint,
}

impl Header {
    /// The model's tokenizer.
    pub(crate) fn tokenizer(&self) -> Result<Tokenizer, EngineError> {
        engine::tokenizer(&self.checkpoint)
    }

    /// The model's chat template.
    pub(crate) fn template(&self) -> Result<Template, EngineError> {
        engine::template(&self.checkpoint, &self.tokenizer()?)
    }
}

/// Reads a model's header: from the cache if it is there, else by short ranges.
pub(crate) fn read_header(model: &ModelArgs) -> Result<Header> {
    let gguf = match &model.location {
        Location::Path(path) => header_from(&open(path)?, &NoStore),
        Location::Url(url) => match cache(model)? {
            Some(disk) => header_from(&HttpSource::new(url)?, &disk),
            None => header_from(&HttpSource::new(url)?, &NoStore),
        },
    }?;
    let checkpoint = Checkpoint::from_gguf(gguf.clone()).map_err(EngineError::from)?;
    Ok(Header { file: model.location.to_string(), gguf, checkpoint })
}

/// Loads a model, with a bar on stderr if that is a terminal.
pub(crate) fn load(model: &ModelArgs, options: LoadOptions) -> Result<Engine> {
    let engine = match &model.location {
        Location::Path(path) => load_from(&open(path)?, &NoStore, options, LoadBar::new("Reading")),
        Location::Url(url) => {
            let (source, bar) = (HttpSource::new(url)?, LoadBar::new("Downloading"));
            match cache(model)? {
                Some(disk) => load_from(&source, &disk, options, bar),
                None => load_from(&source, &NoStore, options, bar),
            }
        }
    }?;
    if let Some(failure) = engine.not_stored() {
        tell(&format!("pronk: The model runs, but was not kept for the next time. {}", failure.message));
    }
    Ok(engine)
}

fn open(path: &Path) -> Result<FileSource> {
    FileSource::open(path).with_context(|| format!("The model {} can't be read", path.display()))
}

fn cache(model: &ModelArgs) -> Result<Option<DiskStore>> {
    match model.no_cache {
        true => Ok(None),
        false => DiskStore::of_user()
            .map(Some)
            .context("There is no folder to keep models in; set HOME or XDG_CACHE_HOME, or use --no-cache"),
    }
}

fn header_from<S: Source, T: Store>(source: &S, store: &T) -> Result<Gguf, EngineError> {
    pollster::block_on(engine::read_header(origin(source, store)))
}

fn load_from<S: Source, T: Store>(
    source: &S,
    store: &T,
    options: LoadOptions,
    bar: LoadBar,
) -> Result<Engine, EngineError> {
    pollster::block_on(Engine::load(origin(source, store), options, &mut |progress| bar.show(&progress)))
}

/// Models are kept by their address, and nobody has published hashes of their pieces.
fn origin<'a, S: Source, T: Store>(source: &'a S, store: &'a T) -> Origin<'a, S, T> {
    Origin { source, store, key: source.name(), expected: &[] }
}
