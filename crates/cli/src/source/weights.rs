//! A model's weights read by ranges, for whoever makes another file of them.

use std::cell::RefCell;
use std::ops::Range;
use std::path::Path;

use anyhow::{Context, Result};
use convert::is_licence_file;
use pollster::block_on;
use store::{Files, NoStore, Source, StoreError, check_version};

use super::header_from;
use super::site::Site;
use crate::location::Location;

/// The largest licence file that is copied. Llama 3.1's has 7 KB.
const MAX_LICENCE_BYTES: u64 = 1 << 20;

/// What licence files are called where they can't be listed.
const LICENCE_NAMES: [&str; 7] =
    ["LICENSE", "LICENSE.txt", "LICENSE.md", "LICENCE", "USE_POLICY.md", "NOTICE", "NOTICE.txt"];

/// A model of which every byte can be read.
pub(crate) struct Weights {
    pub(crate) header: engine::Header,
    pub(crate) source: Box<dyn convert::Source>,
    pub(crate) licences: Vec<(String, Vec<u8>)>,
}

/// Opens the files of a model.
pub(crate) fn open_weights(location: &Location) -> Result<Weights> {
    match location {
        Location::Path(path) => {
            let folder = super::open(path)?;
            let names = names_in(if folder.named().is_some() { path.parent() } else { Some(path) })?;
            let (header, source, licences) = of_files(&folder, names.iter().map(String::as_str))?;
            Ok(Weights { header, source: Box::new(source), licences })
        }
        Location::Url(url) => {
            let site = Site::new(url)?;
            let (header, source, licences) = of_files(&site, LICENCE_NAMES.into_iter())?;
            Ok(Weights { header, source: Box::new(source), licences })
        }
    }
}

/// The licence files in a folder. One that is there and can't be listed must not be left behind unnoticed.
fn names_in(folder: Option<&Path>) -> Result<Vec<String>> {
    let folder = folder.filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
    let unreadable = || format!("The folder {} can't be searched for licence files", folder.display());
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(unreadable)? {
        let entry = entry.with_context(unreadable)?;
        let is_file = std::fs::metadata(entry.path()).is_ok_and(|metadata| metadata.is_file());
        names.extend(entry.file_name().into_string().ok().filter(|name| is_file && is_licence_file(name)));
    }
    names.sort();
    Ok(names)
}

/// Header, weights, and the licence files of these names.
type OfFiles<S> = (engine::Header, Ranges<S>, Vec<(String, Vec<u8>)>);

fn of_files<'a, 'n, F: Files>(
    files: &'a F,
    licences: impl Iterator<Item = &'n str>,
) -> Result<OfFiles<F::Source<'a>>> {
    let header = header_from(files, &NoStore)?;
    let sizes = header.checkpoint.file_sizes.iter().copied();
    let mut sources = Vec::with_capacity(header.files.len());
    for ((name, version), size) in header.files.iter().zip(&header.versions).zip(sizes) {
        let source = block_on(files.open(name)).map_err(engine::EngineError::from)?;
        let weights = WeightsFile { source, version: RefCell::new(version.clone()) };
        weights.check_unchanged(size).map_err(engine::EngineError::from)?;
        sources.push(weights);
    }
    let mut found = Vec::new();
    for name in licences {
        match licence(files, name) {
            Ok(bytes) => found.push((name.to_owned(), bytes)),
            Err(error) if error.is_absence() => {}
            Err(error) => return Err(engine::EngineError::from(error).into()),
        }
    }
    Ok((header, Ranges(sources), found))
}

fn licence<F: Files>(files: &F, name: &str) -> Result<Vec<u8>, StoreError> {
    let source = block_on(files.open(name))?;
    let size = block_on(source.size(0))?;
    if size > MAX_LICENCE_BYTES {
        let (name, limit) = (source.name().to_owned(), MAX_LICENCE_BYTES);
        return Err(StoreError::TooLarge { name, size, limit });
    }
    let mut bytes = Vec::new();
    read_all(&source, 0..size, &mut bytes)?;
    Ok(bytes)
}

/// A file whose header has been read.
struct WeightsFile<S> {
    source: S,
    /// What told its version then.
    version: RefCell<Option<String>>,
}

impl<S: Source> WeightsFile<S> {
    /// That it is still the version that was read, and as long as that was.
    fn check_unchanged(&self, expected: u64) -> Result<(), StoreError> {
        let size = block_on(self.source.size(0))?;
        check_version(&mut self.version.borrow_mut(), &self.source)?;
        if size != expected {
            let (name, expected) = (self.source.name().to_owned(), format!("{expected} bytes"));
            return Err(StoreError::Changed { name, expected, found: format!("{size} bytes") });
        }
        Ok(())
    }

    fn read(&self, range: Range<u64>, into: &mut Vec<u8>) -> Result<(), StoreError> {
        read_all(&self.source, range, into)?;
        check_version(&mut self.version.borrow_mut(), &self.source)
    }
}

/// Files that are open.
struct Ranges<S>(Vec<WeightsFile<S>>);

impl<S: Source> convert::Source for Ranges<S> {
    fn read(&self, file: usize, range: Range<u64>, into: &mut Vec<u8>) -> Result<(), String> {
        let source = self.0.get(file).ok_or_else(|| format!("there is no file {file}"))?;
        source.read(range, into).map_err(|error| error.to_string().trim_end_matches('.').to_owned())
    }
}

/// Reads in as many turns as it takes while each brings some.
fn read_all<S: Source>(source: &S, range: Range<u64>, into: &mut Vec<u8>) -> Result<(), StoreError> {
    let (mut at, before) = (range.start, into.len());
    while at < range.end {
        let result = block_on(source.read(at..range.end, into, &mut |_| {}));
        let now = range.start + (into.len() - before) as u64;
        if now == at {
            result?;
            return Err(StoreError::Cut { name: source.name().to_owned(), at, end: range.end });
        }
        at = now;
    }
    Ok(())
}
