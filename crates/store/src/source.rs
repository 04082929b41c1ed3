//! Where a file's bytes come from.

use std::cell::{Cell, RefCell};
use std::ops::Range;

use crate::StoreError;
use crate::fault::{Fault, Faults};

/// One file, remote or local, read by ranges.
#[allow(async_fn_in_trait, reason = "browsers run everything on one thread, so no caller wants Send futures")]
pub trait Source {
    /// What messages call it: the address or the file's name.
    fn name(&self) -> &str;

    /// Bytes of the whole file. `next` is the byte that will be read first: a source that learns the size from an
    /// answer that brings bytes too may have those begin there. The file may turn out to end before it.
    async fn size(&self, next: u64) -> Result<u64, StoreError>;

    /// Appends the bytes of `range` to `into`, and calls `arrived` with the number of each lot that comes.
    ///
    /// What came before an error stays appended, so that the caller goes on behind it.
    /// To come back early without an error is allowed and means the same as a cut connection.
    async fn read(
        &self,
        range: Range<u64>,
        into: &mut Vec<u8>,
        arrived: &mut dyn FnMut(u64),
    ) -> Result<(), StoreError>;

    /// Waits before another try.
    async fn pause(&self, milliseconds: u32);

    /// What tells this version of the file from others, e.g. an ETag, if anything is known by now.
    fn version(&self) -> Option<String>;
}

/// That the source's last answer was of the version that was seen before: those of two versions must not be mixed.
/// Nothing is known before an answer has told a version, and a host may never tell.
pub fn check_version(seen: &mut Option<String>, source: &impl Source) -> Result<(), StoreError> {
    match (&seen, source.version()) {
        (Some(expected), Some(found)) if *expected != found => Err(StoreError::Changed {
            name: source.name().into(),
            expected: format!("version {expected}"),
            found: format!("version {found}"),
        }),
        (None, found) => {
            *seen = found;
            Ok(())
        }
        _ => Ok(()),
    }
}

impl<S: Source> Source for &S {
    fn name(&self) -> &str {
        (**self).name()
    }

    async fn size(&self, next: u64) -> Result<u64, StoreError> {
        (**self).size(next).await
    }

    async fn read(
        &self,
        range: Range<u64>,
        into: &mut Vec<u8>,
        arrived: &mut dyn FnMut(u64),
    ) -> Result<(), StoreError> {
        (**self).read(range, into, arrived).await
    }

    async fn pause(&self, milliseconds: u32) {
        (**self).pause(milliseconds).await;
    }

    fn version(&self) -> Option<String> {
        (**self).version()
    }
}

/// A file in memory. Its faults can be planned, and it remembers what was asked of it.
#[derive(Debug, Default)]
pub struct MemorySource {
    bytes: Vec<u8>,
    version: Option<String>,
    faults: Faults,
    next: Cell<Option<u64>>,
    read: RefCell<Vec<Range<u64>>>,
    paused: Cell<u64>,
}

impl MemorySource {
    /// A file with these bytes.
    pub fn new(bytes: Vec<u8>) -> MemorySource {
        MemorySource { bytes, ..MemorySource::default() }
    }

    /// The same file, with a version.
    pub fn with_version(self, version: &str) -> MemorySource {
        MemorySource { version: Some(version.into()), ..self }
    }

    /// Plans a fault for the `call`-th call of `size` and `read`, from 0.
    pub fn plan(&self, call: u32, fault: Fault) {
        self.faults.plan(call, fault);
    }

    /// Calls of `size` and `read` so far.
    pub fn calls(&self) -> u32 {
        self.faults.calls()
    }

    /// What was said to be read first when the size was last asked for, if it was.
    pub fn next(&self) -> Option<u64> {
        self.next.get()
    }

    /// The ranges that came, as far as they came.
    pub fn reads(&self) -> Vec<Range<u64>> {
        self.read.borrow().clone()
    }

    /// Milliseconds that the reader would have waited.
    pub fn paused(&self) -> u64 {
        self.paused.get()
    }
}

impl Source for MemorySource {
    fn name(&self) -> &str {
        "memory"
    }

    async fn size(&self, next: u64) -> Result<u64, StoreError> {
        self.next.set(Some(next));
        self.faults.next().await?;
        Ok(self.bytes.len() as u64)
    }

    async fn read(
        &self,
        range: Range<u64>,
        into: &mut Vec<u8>,
        arrived: &mut dyn FnMut(u64),
    ) -> Result<(), StoreError> {
        let fault = self.faults.next().await?;
        let end = match fault {
            Some(Fault::EndAfter(count) | Fault::CutAfter(count)) => range.end.min(range.start + count),
            _ => range.end,
        };
        let came = &self.bytes[range.start as usize..end as usize];
        into.extend(came);
        self.read.borrow_mut().push(range.start..end);
        arrived(came.len() as u64);
        match fault {
            Some(Fault::Corrupt) => into.last_mut().into_iter().for_each(|byte| *byte ^= 1),
            Some(Fault::HangAfter) => std::future::pending().await,
            Some(Fault::CutAfter(_)) => {
                return Err(StoreError::Cut { name: self.name().into(), at: end, end: range.end });
            }
            _ => {}
        }
        Ok(())
    }

    async fn pause(&self, milliseconds: u32) {
        self.paused.set(self.paused.get() + u64::from(milliseconds));
    }

    fn version(&self) -> Option<String> {
        self.version.clone()
    }
}
