//! What is known of a device's kernels, kept from visit to visit.
//!
//! ```text
//! SHA-256 of what follows, in hexadecimal, and a line break; then JSON
//! ```
//!
//! Before kernels are tried a mark says so. A mark that is still there in a later visit was left by one that ended
//! meanwhile: perhaps the kernels took the page down, perhaps a person closed it. Whoever does that twice is excluded.

use protocol::{Excluded, Kernels, TuningReport, Verdict};
use serde::{Deserialize, Serialize};
use store::{Aside, Hash, StoreError};

/// How many visits may end while the same kernels are tried.
const STRIKES: usize = 2;

/// What is written down.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Notes {
    /// Kernels whose trial began and did not end, one for each time.
    begun: Vec<Kernels>,
    excluded: Vec<Excluded>,
    /// None until all have been tried.
    report: Option<TuningReport>,
}

/// The notes on one device and model.
pub(super) struct Book<'a, A> {
    aside: &'a A,
    name: String,
    notes: Notes,
}

impl<'a, A: Aside> Book<'a, A> {
    /// Opens it. One that cannot be read, or is damaged, is empty.
    pub(super) async fn open(aside: &'a A, name: &str) -> Book<'a, A> {
        let bytes = aside.value(name).await.ok().flatten();
        let notes = bytes.and_then(|bytes| decode(&bytes)).unwrap_or_default();
        let mut book = Book { aside, name: name.to_owned(), notes };
        for kernels in [Kernels::Plain, Kernels::Subgroups, Kernels::Int8] {
            let strikes = book.notes.begun.iter().filter(|begun| **begun == kernels).count();
            if strikes >= STRIKES {
                book.notes.begun.retain(|begun| *begun != kernels);
                book.exclude(kernels, "The page or the GPU went down whenever they were tried.".to_owned());
            }
        }
        book
    }

    /// Why these kernels are not to be used, if so.
    pub(super) fn excluded(&self, kernels: Kernels) -> Option<&str> {
        let excluded = self.notes.excluded.iter().find(|excluded| excluded.kernels == kernels)?;
        Some(&excluded.reason)
    }

    /// All that are not to be used.
    pub(super) fn all_excluded(&self) -> &[Excluded] {
        &self.notes.excluded
    }

    /// What came of trying them all, if that was done.
    pub(super) fn report(&self) -> Option<&TuningReport> {
        self.notes.report.as_ref()
    }

    /// Marks that kernels are being tried. They must not be, unless this can be written down.
    pub(super) async fn begin(&mut self, kernels: Kernels) -> Result<(), StoreError> {
        self.notes.begun.push(kernels);
        self.keep().await
    }

    /// Takes the marks back.
    pub(super) async fn end(&mut self, kernels: Kernels) {
        self.notes.begun.retain(|begun| *begun != kernels);
        // If it is not kept the mark stays, and two of them are needed.
        drop(self.keep().await);
    }

    /// Has kernels never be used again. To be kept with what comes next.
    pub(super) fn exclude(&mut self, kernels: Kernels, reason: String) {
        if self.excluded(kernels).is_none() {
            self.notes.excluded.push(Excluded { kernels, reason });
        }
        // What chose them once is not to be followed.
        self.notes.report.take_if(|report| report.chosen == kernels);
    }

    /// Keeps what came of trying them all, unless nothing did.
    pub(super) async fn conclude(&mut self, report: &TuningReport) {
        let is_conclusive = report.rows.iter().any(|row| row.verdict == Verdict::Reference);
        self.notes.report = is_conclusive.then(|| report.clone());
        // If it is not kept they are tried again in the next visit.
        drop(self.keep().await);
    }

    async fn keep(&self) -> Result<(), StoreError> {
        self.aside.keep_value(&self.name, &encode(&self.notes)).await
    }
}

/// Notes are plain data with text as keys, which JSON has words for; were they not, there would be none to read.
fn encode(notes: &Notes) -> Vec<u8> {
    let json = serde_json::to_string(notes).unwrap_or_default();
    format!("{}\n{json}", Hash::of(json.as_bytes())).into_bytes()
}

fn decode(bytes: &[u8]) -> Option<Notes> {
    let (hash, json) = std::str::from_utf8(bytes).ok()?.split_once('\n')?;
    let is_whole = Hash::of(json.as_bytes()).to_string() == hash;
    serde_json::from_str(json).ok().filter(|_| is_whole)
}
