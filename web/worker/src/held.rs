//! Pieces that wait in the browser's memory: the program's own never shrinks, and copies what it uses next.

use std::ops::Range;

use js_sys::Uint8Array;
use store::{Held, KeepsNothing};

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

/// Keeps nothing; what waits does so in the browser's memory.
pub(crate) struct NotKept;

impl KeepsNothing for NotKept {
    type Held = InBrowser;

    fn hold(&self, bytes: Vec<u8>) -> InBrowser {
        InBrowser::new(&bytes)
    }

    async fn breathe(&self) {
        breathe().await;
    }
}
