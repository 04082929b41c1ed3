//! The bytes of a model's files, file after file, each once.

mod passes;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::rc::Rc;

use format::{Checkpoint, Manifest, ManifestFile, Pth, PthReader, Span};
use store::{Files, Hash, Held, PIECE_SIZE, Piece, Pieces, Store, StoreError, keep_listing, read_listing};

use crate::gate::Gate;
use crate::open::{Heads, Parse, present, take_head, whole_file};
use crate::progress::Reporter;
use crate::{EngineError, Origin};

/// The files of a model, through the store. While headers are read it holds what the first of them took, and the piece
/// that comes.
pub(crate) struct Bytes<'a, 'r, F: Files + 'a, T: Store> {
    origin: Origin<'a, F, T>,
    report: Reporter<'r>,
    /// The file whose header was read first, and its pieces so far: they are not read again.
    first: Option<First<'a, F, T>>,
    storage_failure: Option<StoreError>,
    /// What a manifest says that the pieces of files must hash to.
    published: HashMap<String, Vec<Hash>>,
    /// What is known of the small files beside the weights.
    beside: Beside,
    /// What pieces pass on their way to the weights.
    gate: Rc<Gate>,
}

/// The small files beside the weights.
#[derive(Default)]
struct Beside {
    /// Those that an earlier visit found; unknown if there was none.
    known: Option<Vec<String>>,
    /// Those that this visit has found, once it has asked for any; in the end the weights, too.
    found: Option<Vec<String>>,
}

/// Weights in the making.
pub(crate) trait Take {
    /// The bytes that are needed next.
    fn wants(&self) -> Option<Span>;

    /// Takes bytes: of which file, from which byte on.
    fn push(&mut self, file: usize, offset: u64, bytes: &[u8]) -> Result<(), EngineError>;
}

/// Lets bytes go once they have been kept.
struct LetGo;

impl Take for LetGo {
    fn wants(&self) -> Option<Span> {
        None
    }

    fn push(&mut self, _file: usize, _offset: u64, _bytes: &[u8]) -> Result<(), EngineError> {
        Ok(())
    }
}

/// Implements [`Take`] by the methods of the same names.
macro_rules! take_by_its_own {
    ($($weights:ty),*) => {$(
        impl Take for $weights {
            fn wants(&self) -> Option<Span> {
                <$weights>::wants(self)
            }

            fn push(&mut self, file: usize, offset: u64, bytes: &[u8]) -> Result<(), EngineError> {
                Ok(<$weights>::push(self, file, offset, bytes)?)
            }
        }
    )*};
}

take_by_its_own!(llama::Loader<'_>, cpu::WeightsBuilder<'_>, cpu::simd::WeightsBuilder<'_>);

struct First<'a, F: Files + 'a, T: Store> {
    name: String,
    pieces: Pieces<'a, F::Source<'a>, T>,
    head: Vec<Piece<T::Held>>,
}

impl<'a, 'r, F: Files, T: Store> Bytes<'a, 'r, F, T> {
    pub(crate) fn new(origin: Origin<'a, F, T>, report: Reporter<'r>) -> Bytes<'a, 'r, F, T> {
        let (beside, published) = (Beside::default(), HashMap::new());
        let gate = Rc::default();
        Bytes { origin, report, first: None, storage_failure: None, published, beside, gate }
    }

    /// What bytes pass before weights get them. They are fetched, as far as there is room, while it is shut.
    pub(crate) fn gate(&self) -> Rc<Gate> {
        self.gate.clone()
    }

    async fn open(&self, name: &str) -> Result<Pieces<'a, F::Source<'a>, T>, EngineError> {
        let Origin { files, store } = self.origin;
        let source = files.open(name).await?;
        let expected = self.published.get(name).map_or_else(|| files.expected(name), Vec::as_slice);
        Ok(Pieces::open(source, store, &files.key(name), expected).await?)
    }

    /// Gives `weights` the bytes of the files. No more than two pieces are held: one that is used, and the next.
    pub(crate) async fn each(
        &mut self,
        names: &[String],
        checkpoint: &Checkpoint,
        weights: &mut impl Take,
    ) -> Result<(), EngineError> {
        let sizes = &checkpoint.file_sizes;
        if checkpoint.in_one_pass() {
            self.in_order(names, sizes, weights).await?;
        } else {
            // Fetched and kept in order, then read as it is wanted. What lies on this machine needs no fetching.
            if self.origin.store.keeps() {
                self.in_order(names, sizes, &mut LetGo).await?;
            }
            self.as_wanted(names, sizes, weights).await?;
        }
        self.beside.found.iter_mut().for_each(|found| found.extend_from_slice(names));
        Ok(())
    }

    /// All files are there; the last stage begins. Gives why some of them were not kept, if they were not.
    pub(crate) async fn finish(mut self) -> Option<StoreError> {
        let Origin { files, store } = self.origin;
        let new = self.beside.found.as_ref().filter(|found| self.beside.known.as_ref() != Some(*found));
        if let (Some(found), None, true) = (new, &self.storage_failure, store.keeps()) {
            self.storage_failure = keep_listing(store, &listing_key(files), found).await.err();
        }
        self.report.preparing();
        self.storage_failure
    }
}

impl<F: Files, T: Store> Heads for Bytes<'_, '_, F, T> {
    async fn head<H>(&mut self, name: &str, parse: Parse<H>) -> Result<H, EngineError> {
        let mut pieces = self.open(name).await?;
        self.report.begin_file();
        let (head, header) = take_head(&mut pieces, &mut self.report, parse).await?;
        if self.first.is_none() {
            self.first = Some(First { name: name.to_owned(), pieces, head });
        }
        Ok(header)
    }

    fn publish(&mut self, manifest: &Manifest) {
        let hashes = |file: &ManifestFile| file.pieces.iter().copied().map(Hash).collect();
        let published = manifest.files.iter().map(|file| (file.name.clone(), hashes(file)));
        self.published = published.collect();
    }

    async fn whole(&mut self, name: &str) -> Result<Option<Vec<u8>>, EngineError> {
        if self.beside.found.is_none() {
            self.beside.known = read_listing(self.origin.store, &listing_key(self.origin.files)).await;
        }
        self.beside.found.get_or_insert_default();
        if self.beside.known.as_ref().is_some_and(|known| !known.iter().any(|known| known == name)) {
            return Ok(None);
        }
        let read = async {
            let mut pieces = self.open(name).await?;
            self.report.begin_file();
            Ok(take_head(&mut pieces, &mut self.report, whole_file).await?.1)
        };
        let bytes: Option<Vec<u8>> = present(read.await)?;
        if bytes.is_some() {
            self.beside.found.get_or_insert_default().push(name.to_owned());
        }
        Ok(bytes)
    }

    async fn pth(&mut self, name: &str) -> Result<Pth, EngineError> {
        let mut pieces = self.open(name).await?;
        let mut reader = PthReader::new(pieces.size());
        while let Some(range) = reader.wants() {
            let mut bytes = Vec::new();
            let mut at = range.start;
            while at < range.end {
                let piece = self.report.piece(&mut pieces, (at / PIECE_SIZE) as u32).await?;
                // Both lie inside a piece, whose length is a usize.
                let end = range.end.min(piece.offset + piece.bytes.size() as u64);
                if end <= at {
                    return Err(StoreError::Cut { name: name.to_owned(), at, end: range.end }.into());
                }
                let part = (at - piece.offset) as usize..(end - piece.offset) as usize;
                piece.bytes.append_to(part, &mut bytes);
                at = end;
            }
            reader.put(&bytes)?;
        }
        Ok(reader.finish()?)
    }
}

/// What a store knows the list of a folder's files by.
pub(crate) fn listing_key(files: &impl Files) -> String {
    files.key("#files")
}
