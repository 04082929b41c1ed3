//! What is known of a device's kernels, kept from visit to visit.
//!
//! ```text
//! SHA-256 of what follows, in hexadecimal, and a line break; then JSON
//! ```
//!
//! Before kernels are tried a mark says so. A mark that is still there in a later visit was left by one that ended
//! meanwhile: perhaps the kernels took the page down, perhaps a person closed it. Kernels that lost the device, or did not
//! answer, leave theirs as well: perhaps the computer slept, or a driver was updated. Whoever has two marks is excluded.

use std::cell::RefCell;

use protocol::{Excluded, Kernels, TuningReport, Verdict};
use serde::{Deserialize, Serialize};
use store::{Aside, Hash, StoreError};

/// How many marks exclude kernels.
const STRIKES: usize = 2;

/// What is to be marked in a book if the trial that is under way there is let go of.
pub(super) type Underway = RefCell<Option<(String, Vec<Kernels>)>>;

/// What is written down.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Notes {
    /// Kernels whose trial began and did not end well, one for each time.
    begun: Vec<Kernels>,
    excluded: Vec<Excluded>,
    /// None until all have been tried.
    report: Option<TuningReport>,
}

/// The notes on one device and model.
pub(super) struct Book<'a, A> {
    aside: &'a A,
    underway: &'a Underway,
    name: String,
    notes: Notes,
}

impl<'a, A: Aside> Book<'a, A> {
    /// Opens it. One that cannot be read, or is damaged, is empty.
    pub(super) async fn open(aside: &'a A, underway: &'a Underway, name: &str) -> Book<'a, A> {
        let notes = notes(aside, name).await;
        let mut book = Book { aside, underway, name: name.to_owned(), notes };
        for kernels in [Kernels::Plain, Kernels::Subgroups, Kernels::Int8, Kernels::Halves] {
            if book.strikes(kernels) >= STRIKES {
                book.exclude(kernels, "The page or the GPU went down whenever they were tried.".to_owned());
            }
        }
        book
    }

    fn strikes(&self, kernels: Kernels) -> usize {
        self.notes.begun.iter().filter(|begun| **begun == kernels).count()
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
        self.underway.replace(Some((self.name.clone(), self.notes.begun.clone())));
        self.notes.begun.push(kernels);
        let kept = self.keep().await;
        if kept.is_err() {
            self.withdraw();
        }
        kept
    }

    /// Takes all marks of theirs back: they did well. To be kept with what comes next.
    pub(super) fn end(&mut self, kernels: Kernels) {
        self.notes.begun.retain(|begun| *begun != kernels);
    }

    /// Takes the last mark back: so far they did well, or nobody knows. To be kept with what comes next.
    pub(super) fn withdraw(&mut self) {
        self.notes.begun.pop();
    }

    /// Leaves the mark, and excludes them if there was one before. To be kept with what comes next.
    pub(super) fn strike(&mut self, kernels: Kernels, reason: String) {
        if self.strikes(kernels) >= STRIKES {
            self.exclude(kernels, reason);
        }
    }

    /// Has kernels never be used again. To be kept with what comes next.
    pub(super) fn exclude(&mut self, kernels: Kernels, reason: String) {
        self.end(kernels);
        if self.excluded(kernels).is_none() {
            self.notes.excluded.push(Excluded { kernels, reason });
        }
        // What chose them once is not to be followed.
        let prefill = |report: &TuningReport| report.prefill.as_ref().map(|prefill| prefill.chosen);
        self.notes.report.take_if(|report| report.chosen == kernels || prefill(report) == Some(kernels));
    }

    /// Keeps what came of trying them all, unless nothing did or some are to be tried again; none where it was stopped.
    pub(super) async fn conclude(&mut self, report: Option<&TuningReport>) {
        if let Some(report) = report {
            let has_reference = report.rows.iter().any(|row| row.verdict == Verdict::Reference);
            let is_conclusive = has_reference && self.notes.begun.is_empty();
            self.notes.report = is_conclusive.then(|| report.clone());
        }
        // If it is not kept they are tried again in the next visit, and of marks two are needed.
        drop(self.keep().await);
        self.underway.take();
    }

    async fn keep(&self) -> Result<(), StoreError> {
        self.aside.keep_value(&self.name, &encode(&self.notes)).await
    }
}

/// Takes back the mark of a trial that somebody let go of, so that nothing has gone down.
pub(super) async fn take_back(aside: &impl Aside, underway: &Underway) {
    let Some((name, marks)) = underway.take() else { return };
    let notes = Notes { begun: marks, ..notes(aside, &name).await };
    // If it is not kept the mark stays, and two of them are needed.
    drop(aside.keep_value(&name, &encode(&notes)).await);
}

async fn notes(aside: &impl Aside, name: &str) -> Notes {
    let bytes = aside.value(name).await.ok().flatten();
    bytes.and_then(|bytes| decode(&bytes)).unwrap_or_default()
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
