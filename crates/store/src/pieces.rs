//! A file's pieces in order, from the store where it has them and from the source where it has not.
//!
//! ```text
//! for each piece:  stored, and its hash is the record's?              -> give it
//!                  else fetch, compare with the published hash if any -> keep it, then record it, then give it
//! ```
//!
//! The record is written after the bytes, so it never claims what is not there; what it claims is checked anyway.
//! Storage that fails costs nothing but the next visit's time: the model loads all the same.

#[cfg(test)]
mod tests;

use std::ops::Range;

use crate::http::check_start;
use crate::record::MAX_SIZE;
use crate::source::check_version;
use crate::{Hash, Held, Origin, PIECE_SIZE, Piece, Progress, Record, Source, Store, StoreError, retry};

/// Fetches of a piece whose hash is wrong: the second one sets right what was damaged on the way.
const FETCHES: u32 = 2;

/// The pieces of one file that are still to come.
#[derive(Debug)]
pub struct Pieces<'a, S, T> {
    source: S,
    store: &'a T,
    model: String,
    expected: Vec<Hash>,
    piece_size: u64,
    record: Record,
    /// What the source said of the file's version when it was first asked.
    version: Option<String>,
    next: u32,
    fetched: u64,
    storage_failure: Option<StoreError>,
}

impl<'a, S: Source, T: Store> Pieces<'a, S, T> {
    /// Begins with a file. `model` is its key in the store; `expected` are the published hashes, or empty.
    ///
    /// The source is asked for its size, unless the store has the whole file.
    /// Fails if it can't be had, or if hashes were published for another number of pieces.
    pub async fn open(
        source: S,
        store: &'a T,
        model: &str,
        expected: &[Hash],
    ) -> Result<Pieces<'a, S, T>, StoreError> {
        Pieces::open_with(source, store, model, expected, PIECE_SIZE).await
    }

    /// Tests have small pieces.
    async fn open_with(
        source: S,
        store: &'a T,
        model: &str,
        expected: &[Hash],
        piece_size: u64,
    ) -> Result<Pieces<'a, S, T>, StoreError> {
        let mut pieces = Pieces {
            source,
            store,
            model: model.into(),
            expected: expected.into(),
            piece_size,
            record: Record { size: 0, version: None, pieces: Vec::new() },
            version: None,
            next: 0,
            fetched: 0,
            storage_failure: None,
        };
        let stored = pieces.read_record().await;
        match stored {
            Some(stored) if stored.is_whole() => pieces.record = stored,
            stored => {
                let first_missing = stored.as_ref().and_then(Record::first_missing).unwrap_or(0);
                pieces.record = pieces.ask_source(u64::from(first_missing) * piece_size).await?;
                match stored.filter(|stored| stored.may_be_of_the_file_of(&pieces.record)) {
                    Some(stored) => pieces.record.pieces = stored.pieces,
                    None => pieces.forget().await,
                }
            }
        }
        Ok(pieces)
    }

    /// Bytes of the whole file.
    pub fn size(&self) -> u64 {
        self.record.size
    }

    /// Why the rest of the file is not being kept, if it is not. The model loads all the same.
    pub fn storage_failure(&self) -> Option<&StoreError> {
        self.storage_failure.as_ref()
    }

    /// The next piece, checked, or `None` after the last. Calls `progress` as its bytes come.
    ///
    /// Dropping the future loses no more than the piece that was coming; calling again fetches it anew.
    pub async fn next(
        &mut self,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Option<Piece<T::Held>>, StoreError> {
        let index = self.next;
        if index as usize == self.record.pieces.len() {
            return Ok(None);
        }
        let piece = self.piece(index, progress).await?;
        self.next = index + 1;
        Ok(Some(piece))
    }

    /// A piece by its number, checked; as [`Pieces::next`], without moving on.
    /// Fails if there is none of that number: to ask for one is a mistake of ours.
    pub async fn piece(
        &mut self,
        index: u32,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Piece<T::Held>, StoreError> {
        if index as usize >= self.record.pieces.len() {
            let (expected, found) = (self.range(index), format!("{} bytes", self.record.size));
            return Err(StoreError::WrongRange { name: self.source.name().into(), expected, found });
        }
        let offset = u64::from(index) * self.piece_size;
        let (bytes, origin) = match self.stored(index).await {
            Some(bytes) => (bytes, Origin::Stored),
            None => match self.fetch(index, progress).await {
                Ok(bytes) => (bytes, Origin::Fetched),
                Err(error) => {
                    // What is stored is of the file as it was; the next load begins with the new one.
                    if matches!(error, StoreError::Changed { .. }) {
                        self.forget().await;
                    }
                    return Err(error);
                }
            },
        };
        progress(self.progress(offset + bytes.size() as u64));
        Ok(Piece { index, offset, bytes, origin })
    }

    /// The stored record, if it can speak of the file whose hashes were published.
    async fn read_record(&mut self) -> Option<Record> {
        match self.store.record(&self.model).await {
            Ok(record) => record.filter(|record| record.can_be_of(&self.expected, self.piece_size)),
            Err(StoreError::DamagedRecord { .. }) => None,
            // It may be readable the next time, so nothing is written over it.
            Err(error) => {
                self.storage_failure = Some(error);
                None
            }
        }
    }

    /// The record of the source's file, with nothing kept yet.
    async fn ask_source(&mut self, next: u64) -> Result<Record, StoreError> {
        let size = retry::size(&self.source, next).await?;
        self.version = self.source.version();
        let (name, hashes) = (self.source.name(), self.expected.len());
        if size > MAX_SIZE {
            return Err(StoreError::TooLarge { name: name.into(), size, limit: MAX_SIZE });
        }
        let pieces = size.div_ceil(self.piece_size);
        if hashes != 0 && hashes as u64 != pieces {
            return Err(StoreError::HashCount { name: name.into(), pieces, hashes });
        }
        Ok(Record { size, version: self.version.clone(), pieces: vec![None; pieces as usize] })
    }

    /// What is stored is of another file, or nobody knows what it is.
    async fn forget(&mut self) {
        if self.storage_failure.is_none() {
            self.storage_failure = self.store.forget(&self.model).await.err();
        }
    }

    fn range(&self, index: u32) -> Range<u64> {
        let offset = u64::from(index) * self.piece_size;
        offset..self.record.size.min(offset + self.piece_size).max(offset)
    }

    fn progress(&self, done: u64) -> Progress {
        Progress { done, total: self.record.size, fetched: self.fetched }
    }

    /// The hash that is known of a piece from an earlier visit.
    fn recorded(&self, index: u32) -> Option<Hash> {
        self.record.pieces.get(index as usize).copied().flatten()
    }

    /// A piece from the store. Whatever is wrong with it, it can be fetched.
    async fn stored(&self, index: u32) -> Option<T::Held> {
        let hash = self.recorded(index)?;
        let bytes = self.store.piece(&self.model, index).await.ok()??;
        let range = self.range(index);
        let is_right =
            bytes.size() as u64 == range.end - range.start && self.store.hash(&bytes).await == hash;
        is_right.then_some(bytes)
    }

    /// A piece from the source, compared with what is known of it, and kept.
    async fn fetch(&mut self, index: u32, progress: &mut dyn FnMut(Progress)) -> Result<T::Held, StoreError> {
        let published = self.expected.get(index as usize).copied();
        let wanted = published.or(self.recorded(index));
        let mut fetches = 0;
        loop {
            let bytes = self.store.hold(self.fetch_once(index, progress).await?);
            if wanted.is_none() && !self.store.keeps() {
                return Ok(bytes);
            }
            fetches += 1;
            let found = self.store.hash(&bytes).await;
            match wanted {
                Some(wanted) if found != wanted && fetches == FETCHES => {
                    return Err(self.mismatch(index, published, wanted, found));
                }
                Some(wanted) if found != wanted => {}
                _ => {
                    self.keep(index, found, &bytes).await;
                    return Ok(bytes);
                }
            }
        }
    }

    async fn fetch_once(
        &mut self,
        index: u32,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Vec<u8>, StoreError> {
        let range = self.range(index);
        let (total, before) = (self.record.size, self.fetched);
        let mut bytes = Vec::with_capacity((range.end - range.start) as usize);
        let mut came = 0;
        let arrived = &mut |n: u64| {
            came += n;
            progress(Progress { done: range.start + came, total, fetched: before + came });
        };
        let result = retry::read(&self.source, range.clone(), &mut bytes, arrived).await;
        self.fetched += came;
        result?;
        check_version(&mut self.version, &self.source)?;
        if index == 0 {
            check_start(self.source.name(), &bytes)?;
        }
        Ok(bytes)
    }

    /// Against published hashes the source is wrong; against our own record it has changed since the last visit.
    fn mismatch(&self, index: u32, published: Option<Hash>, wanted: Hash, found: Hash) -> StoreError {
        let name = self.source.name().into();
        match published {
            Some(expected) => StoreError::HashMismatch { name, piece: index, expected, found },
            None => {
                let expected = format!("piece {index} with SHA-256 {wanted}");
                StoreError::Changed { name, expected, found: found.to_string() }
            }
        }
    }

    /// Bytes first, then the record. After a failure nothing more is kept.
    async fn keep(&mut self, index: u32, hash: Hash, bytes: &T::Held) {
        if self.storage_failure.is_some() || !self.store.keeps() {
            return;
        }
        self.storage_failure = self.try_keep(index, hash, bytes).await.err();
    }

    async fn try_keep(&mut self, index: u32, hash: Hash, bytes: &T::Held) -> Result<(), StoreError> {
        self.store.keep_piece(&self.model, index, bytes).await?;
        self.record.version = self.record.version.take().or(self.version.clone());
        if let Some(piece) = self.record.pieces.get_mut(index as usize) {
            *piece = Some(hash);
        }
        self.store.keep_record(&self.model, &self.record).await
    }
}
