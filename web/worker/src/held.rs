//! Pieces that wait in the browser's memory: the program's own never shrinks, and copies what it uses next.

use std::ops::Range;

use js_sys::Uint8Array;
use store::{Held, Record, Store, StoreError};

use crate::fetch::append;
use crate::port::breathe;

/// Bytes of the browser's.
pub(crate) struct InBrowser(pub(crate) Uint8Array);

impl InBrowser {
    /// Bytes of the program's, copied.
    pub(crate) fn new(bytes: &[u8]) -> InBrowser {
        InBrowser(Uint8Array::from(bytes))
    }
}

impl Held for InBrowser {
    fn size(&self) -> usize {
        self.0.length() as usize
    }

    fn append_to(&self, range: Range<usize>, into: &mut Vec<u8>) {
        // JS would cut the range short without a word.
        assert!(range.start <= range.end && range.end <= self.size(), "bytes {range:?} of {}", self.size());
        append(&self.0.subarray(range.start as u32, range.end as u32), into);
    }
}

/// Keeps nothing: for files that are on this machine already.
pub(crate) struct NotKept;

impl Store for NotKept {
    type Held = InBrowser;

    fn hold(&self, bytes: Vec<u8>) -> InBrowser {
        InBrowser::new(&bytes)
    }

    async fn piece(&self, _model: &str, _index: u32) -> Result<Option<InBrowser>, StoreError> {
        Ok(None)
    }

    async fn keep_piece(&self, _model: &str, _index: u32, _bytes: &InBrowser) -> Result<(), StoreError> {
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
        breathe().await;
    }
}
