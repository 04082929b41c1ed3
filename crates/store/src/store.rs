//! Where pieces rest between visits.

use std::cell::RefCell;
use std::collections::BTreeMap;

use crate::fault::{Fault, Faults};
use crate::{Hash, Held, Record, StoreError};

/// Keeps the pieces of models, and a record of each. `model` is the model's key: its address as asked.
///
/// Nothing that comes out of a store is trusted: pieces are hashed when they are read.
#[allow(async_fn_in_trait, reason = "browsers run everything on one thread, so no caller wants Send futures")]
pub trait Store {
    /// Bytes that wait, as the platform has them.
    type Held: Held;

    /// Has bytes wait that came from elsewhere.
    fn hold(&self, bytes: Vec<u8>) -> Self::Held;

    /// A piece; `None` if it is not there.
    async fn piece(&self, model: &str, index: u32) -> Result<Option<Self::Held>, StoreError>;

    /// Keeps a piece in place of the one that was there.
    async fn keep_piece(&self, model: &str, index: u32, bytes: &Self::Held) -> Result<(), StoreError>;

    /// What is known of a model; `None` if nothing is. [`StoreError::DamagedRecord`] makes it be written anew.
    async fn record(&self, model: &str) -> Result<Option<Record>, StoreError>;

    /// Keeps a record in place of the one that was there. When this returns, the record outlives a power cut.
    async fn keep_record(&self, model: &str, record: &Record) -> Result<(), StoreError>;

    /// Removes a model: its record first, then its pieces, so that no record ever speaks of pieces that are gone.
    async fn forget(&self, model: &str) -> Result<(), StoreError>;

    /// Whether anything is kept at all. Where nothing is, pieces are hashed only if there is a hash to compare.
    fn keeps(&self) -> bool {
        true
    }

    /// The SHA-256 of a piece; for platforms that have a faster one than this crate.
    async fn hash(&self, bytes: &Self::Held) -> Hash {
        Hash::of_held(bytes)
    }

    /// Lets the platform go on with what it was asked for. Called now and then while a piece is being used, so that the next
    /// one can come meanwhile; for platforms where nothing happens while a program computes.
    async fn breathe(&self) {}
}

/// A [`Store`] that keeps nothing: for files that are on this machine already. It says only where bytes wait.
#[allow(async_fn_in_trait, reason = "browsers run everything on one thread, so no caller wants Send futures")]
pub trait KeepsNothing {
    /// As [`Store::Held`].
    type Held: Held;

    /// As [`Store::hold`].
    fn hold(&self, bytes: Vec<u8>) -> Self::Held;

    /// As [`Store::breathe`].
    async fn breathe(&self) {}
}

impl<N: KeepsNothing> Store for N {
    type Held = N::Held;

    fn hold(&self, bytes: Vec<u8>) -> N::Held {
        KeepsNothing::hold(self, bytes)
    }

    async fn piece(&self, _model: &str, _index: u32) -> Result<Option<N::Held>, StoreError> {
        Ok(None)
    }

    async fn keep_piece(&self, _model: &str, _index: u32, _bytes: &N::Held) -> Result<(), StoreError> {
        Ok(())
    }

    async fn record(&self, _model: &str) -> Result<Option<Record>, StoreError> {
        Ok(None)
    }

    async fn keep_record(&self, _model: &str, _record: &Record) -> Result<(), StoreError> {
        Ok(())
    }

    async fn forget(&self, _model: &str) -> Result<(), StoreError> {
        Ok(())
    }

    fn keeps(&self) -> bool {
        false
    }

    async fn breathe(&self) {
        KeepsNothing::breathe(self).await;
    }
}

/// Keeps nothing; what waits does so in the program's memory.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoStore;

impl KeepsNothing for NoStore {
    type Held = Vec<u8>;

    fn hold(&self, bytes: Vec<u8>) -> Vec<u8> {
        bytes
    }
}

/// Keeps everything in memory. Its faults can be planned, and it can be limited in size.
#[derive(Debug, Default)]
pub struct MemoryStore {
    pieces: RefCell<BTreeMap<(String, u32), Vec<u8>>>,
    /// As bytes, so that what tests read back has gone through the encoding that browser and disk use.
    records: RefCell<BTreeMap<String, Vec<u8>>>,
    faults: Faults,
    quota: Option<u64>,
}

impl MemoryStore {
    /// An empty store without a limit.
    pub fn new() -> MemoryStore {
        MemoryStore::default()
    }

    /// An empty store that takes this many bytes of pieces.
    pub fn with_quota(bytes: u64) -> MemoryStore {
        MemoryStore { quota: Some(bytes), ..MemoryStore::default() }
    }

    /// The same contents behind calls that work again and are counted from 0: a new visit.
    pub fn reopen(self) -> MemoryStore {
        MemoryStore { faults: Faults::default(), ..self }
    }

    /// Plans a fault for the `call`-th call of any kind, from 0.
    pub fn plan(&self, call: u32, fault: Fault) {
        self.faults.plan(call, fault);
    }

    /// Calls so far.
    pub fn calls(&self) -> u32 {
        self.faults.calls()
    }

    /// Changes a stored piece behind the record's back. Does nothing if it is not there.
    pub fn damage(&self, model: &str, index: u32, change: impl FnOnce(&mut Vec<u8>)) {
        self.pieces.borrow_mut().get_mut(&(model.to_owned(), index)).map(change);
    }

    /// Changes the bytes of a record behind its back. Does nothing if it is not there.
    pub fn damage_record(&self, model: &str, change: impl FnOnce(&mut Vec<u8>)) {
        self.records.borrow_mut().get_mut(model).map(change);
    }

    /// Removes a stored piece behind the record's back.
    pub fn lose(&self, model: &str, index: u32) {
        self.pieces.borrow_mut().remove(&(model.to_owned(), index));
    }

    /// How many pieces rest here.
    pub fn piece_count(&self) -> usize {
        self.pieces.borrow().len()
    }

    /// Does `change`, unless a fault comes before; hangs, if one comes after.
    async fn call<R>(
        &self,
        change: impl FnOnce(&MemoryStore) -> Result<R, StoreError>,
    ) -> Result<R, StoreError> {
        let fault = self.faults.next().await?;
        let result = change(self);
        match fault {
            Some(Fault::HangAfter) => std::future::pending().await,
            _ => result,
        }
    }

    fn put(&self, key: (String, u32), bytes: &[u8]) -> Result<(), StoreError> {
        let mut pieces = self.pieces.borrow_mut();
        let others = pieces.iter().filter(|(other, _)| **other != key);
        let stored: u64 = others.map(|(_, bytes)| bytes.len() as u64).sum();
        if self.quota.is_some_and(|quota| stored + bytes.len() as u64 > quota) {
            return Err(StoreError::Quota { detail: format!("{stored} bytes are stored") });
        }
        pieces.insert(key, bytes.to_vec());
        Ok(())
    }
}

impl Store for MemoryStore {
    type Held = Vec<u8>;

    fn hold(&self, bytes: Vec<u8>) -> Vec<u8> {
        bytes
    }

    async fn piece(&self, model: &str, index: u32) -> Result<Option<Vec<u8>>, StoreError> {
        self.call(|store| Ok(store.pieces.borrow().get(&(model.to_owned(), index)).cloned())).await
    }

    async fn keep_piece(&self, model: &str, index: u32, bytes: &Vec<u8>) -> Result<(), StoreError> {
        self.call(|store| store.put((model.to_owned(), index), bytes)).await
    }

    async fn record(&self, model: &str) -> Result<Option<Record>, StoreError> {
        self.call(|store| {
            store.records.borrow().get(model).map(|bytes| Record::from_bytes(bytes)).transpose()
        })
        .await
    }

    async fn keep_record(&self, model: &str, record: &Record) -> Result<(), StoreError> {
        self.call(|store| {
            store.records.borrow_mut().insert(model.to_owned(), record.to_bytes());
            Ok(())
        })
        .await
    }

    /// Two calls, so that a crash can come between them.
    async fn forget(&self, model: &str) -> Result<(), StoreError> {
        self.call(|store| {
            store.records.borrow_mut().remove(model);
            Ok(())
        })
        .await?;
        self.call(|store| {
            store.pieces.borrow_mut().retain(|(of, _), _| of != model);
            Ok(())
        })
        .await
    }
}
