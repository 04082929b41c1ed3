//! The bytes of a model's files, file after file, each once.

use store::{Files, Piece, Pieces, Store, StoreError, keep_listing, read_listing};

use crate::open::{Heads, Parse, present, take_head, whole_file};
use crate::progress::Reporter;
use crate::{EngineError, Origin};

/// The files of a model, through the store. While headers are read it holds at most one piece besides the one that comes.
pub(crate) struct Bytes<'a, 'r, F: Files + 'a, T> {
    origin: Origin<'a, F, T>,
    report: Reporter<'r>,
    /// The file whose header was read first, and its bytes so far: they are not read again.
    first: Option<First<'a, F, T>>,
    storage_failure: Option<StoreError>,
    /// What is known of the small files beside the weights.
    beside: Beside,
}

/// The small files beside the weights.
#[derive(Default)]
struct Beside {
    /// Those that an earlier visit found; unknown if there was none.
    known: Option<Vec<String>>,
    /// Those that this visit has found, once it has asked for any; in the end the weights, too.
    found: Option<Vec<String>>,
}

/// Takes bytes: of which file, from which byte on.
pub(crate) type Take<'a> = dyn FnMut(usize, u64, &[u8]) -> Result<(), EngineError> + 'a;

struct First<'a, F: Files + 'a, T> {
    name: String,
    pieces: Pieces<'a, F::Source<'a>, T>,
    head: Vec<u8>,
}

impl<'a, 'r, F: Files, T: Store> Bytes<'a, 'r, F, T> {
    pub(crate) fn new(origin: Origin<'a, F, T>, report: Reporter<'r>) -> Bytes<'a, 'r, F, T> {
        Bytes { origin, report, first: None, storage_failure: None, beside: Beside::default() }
    }

    async fn open(&self, name: &str) -> Result<Pieces<'a, F::Source<'a>, T>, EngineError> {
        let Origin { files, store } = self.origin;
        let source = files.open(name).await?;
        Ok(Pieces::open(source, store, &files.key(name), files.expected(name)).await?)
    }

    /// Gives `take` all bytes of the files, in order.
    /// A piece is let go before the next is taken.
    pub(crate) async fn each(
        &mut self,
        names: &[String],
        sizes: &[u64],
        take: &mut Take<'_>,
    ) -> Result<(), EngineError> {
        for (file, name) in names.iter().enumerate() {
            let before = sizes.iter().take(file).sum();
            self.report.begin_weights(before, sizes.iter().sum());
            let mut pieces = match self.first.take_if(|first| first.name == *name) {
                Some(First { pieces, head, .. }) => {
                    take(file, 0, &head)?;
                    pieces
                }
                None => self.open(name).await?,
            };
            while let Some(Piece { offset, bytes, .. }) = self.report.next(&mut pieces).await? {
                take(file, offset, &bytes)?;
            }
            let failure = pieces.storage_failure().cloned();
            self.storage_failure = self.storage_failure.take().or(failure);
        }
        self.beside.found.iter_mut().for_each(|found| found.extend_from_slice(names));
        Ok(())
    }

    /// All files are there; the last stage begins. Gives why some of them were not kept, if they were not.
    pub(crate) async fn finish(mut self) -> Option<StoreError> {
        let Origin { files, store } = self.origin;
        if let (Some(found), None, true) = (&self.beside.found, &self.storage_failure, store.keeps()) {
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
        let bytes = present(read.await)?;
        if bytes.is_some() {
            self.beside.found.get_or_insert_default().push(name.to_owned());
        }
        Ok(bytes)
    }
}

/// What a store knows the list of a folder's files by.
pub(crate) fn listing_key(files: &impl Files) -> String {
    files.key("#files")
}
