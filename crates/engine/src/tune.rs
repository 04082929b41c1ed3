//! Choosing kernels by trying them: on the device at hand, on a made-up layer of the model, once.
//!
//! ```text
//! adapter, browser, shapes and types, shaders -> a name -> Book: what is known by it -> the kernels to take
//!                                                          ^ a mark before each trial, and what came of them all
//!        Stand: a device of its own with the layer -> Trials: compare each with the plain ones, then time those that are right
//! ```
//!
//! A GPU that computes wrongly, hangs or takes the browser's GPU process down does so here, before a word is answered, and
//! with the kernels that do so excluded from then on. Software adapters are left with what is known of them, since it is
//! the same for all, and a trial takes them long.

mod book;
mod judge;
mod stand;
#[cfg(test)]
mod tests;
mod trials;
mod within;

use std::time::Duration;

use gpu::{Arithmetic, Gpu, Pause, TierChoice};
use llama::{Outline, SOURCES_HASH};
use protocol::{Excluded, Kernels, TuningReport};
use store::{Aside, Hash, NoStore};

use crate::backend::{Backend, kernels};
use crate::{Engine, StopFlag};
use book::{Book, Underway};
use stand::DeviceStand;
use trials::Trials;

/// How long kernels may take to be compiled and to answer. None that are right take a tenth of that.
const LIMIT: Duration = Duration::from_secs(10);

/// The same where the CPU stands for a GPU.
const SOFTWARE_LIMIT: Duration = Duration::from_secs(300);

/// When kernels are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tune {
    /// Never: the device gets those that suit its kind.
    Never,
    /// On a GPU, the first time that it meets the model, unless kernels were asked for by name.
    Once,
    /// Now, whatever is known and whatever the device is.
    Anew,
}

/// Tries kernels, and remembers what came of it.
pub struct Tuner<'a, A> {
    aside: &'a A,
    when: Tune,
    platform: &'a dyn Fn() -> String,
    pause: Pause,
    underway: Underway,
}

/// Whether kernels were asked for by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    Any,
    Named,
}

/// What is known of a device's kernels.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Tuned {
    pub(crate) excluded: Vec<Excluded>,
    pub(crate) report: Option<TuningReport>,
}

impl Tuner<'static, NoStore> {
    /// Tries nothing.
    pub fn never() -> Tuner<'static, NoStore> {
        let pause: Pause = std::rc::Rc::new(|| Box::pin(std::future::pending()));
        Tuner::new(&NoStore, Tune::Never, &String::new, pause)
    }
}

impl<'a, A: Aside> Tuner<'a, A> {
    /// One that remembers `aside` what came of it. `platform` is what bears on kernels and is not the device's: the browser,
    /// and what only it knows of the adapter; it is asked once the device is open. `pause` takes some milliseconds, between
    /// two looks at the clock.
    pub fn new(aside: &'a A, when: Tune, platform: &'a dyn Fn() -> String, pause: Pause) -> Tuner<'a, A> {
        Tuner { aside, when, platform, pause, underway: Underway::default() }
    }

    /// Has it not held against kernels that somebody let go of what tried them, a load say, and lives on.
    pub async fn take_back(&self) {
        book::take_back(self.aside, &self.underway).await;
    }

    /// Turns a device to the kernels that are best for a model, unless others were asked for by name.
    pub(crate) async fn settle(&self, gpu: &Gpu, outline: &Outline, wish: Wish) -> Tuned {
        let is_for_itself = wish == Wish::Any && !gpu.report().software;
        let tuned = match self.when {
            Tune::Anew => self.try_all(gpu, outline, &StopFlag::default()).await,
            Tune::Once if is_for_itself => self.known_or_tried(gpu, outline).await,
            Tune::Once | Tune::Never => None,
        };
        let tuned = tuned.unwrap_or_default();
        if let (Some(report), Wish::Any) = (&tuned.report, wish) {
            follow(gpu, report).await;
        }
        tuned
    }

    /// Tries all kernels, whatever is known. Those that are excluded stay so. None if it was stopped.
    pub(crate) async fn try_all(&self, gpu: &Gpu, outline: &Outline, stop: &StopFlag) -> Option<Tuned> {
        self.tried(gpu, outline, self.book(gpu, outline).await, stop).await
    }

    async fn known_or_tried(&self, gpu: &Gpu, outline: &Outline) -> Option<Tuned> {
        let book = self.book(gpu, outline).await;
        if book.report().is_some() {
            return Some(Tuned { excluded: book.all_excluded().to_vec(), report: book.report().cloned() });
        }
        // Whoever wants a load to end drops it.
        self.tried(gpu, outline, book, &StopFlag::default()).await
    }

    async fn tried(
        &self,
        gpu: &Gpu,
        outline: &Outline,
        mut book: Book<'_, A>,
        stop: &StopFlag,
    ) -> Option<Tuned> {
        let limit = if gpu.report().software { SOFTWARE_LIMIT } else { LIMIT };
        let stand = DeviceStand::new(outline.clone(), limit, self.pause.clone());
        let trials = Trials::new(stand, &mut book, limit, self.pause.clone(), stop);
        let report = trials.run(kernels(gpu.tier())).await?;
        Some(Tuned { excluded: book.all_excluded().to_vec(), report: Some(report) })
    }

    async fn book(&self, gpu: &Gpu, outline: &Outline) -> Book<'_, A> {
        let name = name(gpu, &(self.platform)(), outline, SOURCES_HASH);
        Book::open(self.aside, &self.underway, &name).await
    }
}

impl Engine {
    /// What came of trying kernels, now or in an earlier visit; none where that was not done.
    pub fn tuning(&self) -> Option<&TuningReport> {
        self.tuning.as_ref()
    }

    /// Tries all kernels beside the loaded model, if a GPU has it. What comes of it holds from the next load on; of trials
    /// that were stopped nothing does.
    pub async fn try_kernels<A: Aside>(&mut self, tuner: &Tuner<'_, A>, stop: &StopFlag) {
        let Backend::Gpu(model) = &self.backend else { return };
        if let Some(Tuned { excluded, report }) = tuner.try_all(model.gpu(), &self.outline, stop).await {
            (self.device.excluded, self.tuning) = (excluded, report);
        }
    }
}

/// What it is all known by.
fn name(gpu: &Gpu, platform: &str, outline: &Outline, sources: u64) -> String {
    let report = gpu.report();
    let (version, features) = (env!("CARGO_PKG_VERSION"), report.features.join(" "));
    let parts = [platform, &report.adapter, &report.driver, &features, &outline.description(), version];
    format!("kernels {}", Hash::of(format!("{}\n{sources:016x}", parts.join("\n")).as_bytes()))
}

/// Turns a device to what was chosen. It was right a moment ago, or in an earlier visit; what is not even there now leaves
/// the device as it is.
async fn follow(gpu: &Gpu, report: &TuningReport) {
    if report.chosen != kernels(gpu.tier()) {
        drop(gpu.turn_to(tier(report.chosen)).await);
    }
    if let Some(prefill) = &report.prefill {
        drop(gpu.multiply_in(arithmetic(prefill.chosen)).await);
    }
}

/// The device's word for what many tokens are multiplied in.
fn arithmetic(kernels: Kernels) -> Arithmetic {
    match kernels {
        Kernels::Halves => Arithmetic::Halves,
        Kernels::Int8 => Arithmetic::WholeNumbers,
        Kernels::Plain | Kernels::Subgroups | Kernels::Simd | Kernels::Reference => Arithmetic::Floats,
    }
}

/// The device's word for kernels.
fn tier(kernels: Kernels) -> TierChoice {
    match kernels {
        Kernels::Subgroups => TierChoice::Subgroups,
        Kernels::Int8 => TierChoice::Int8,
        Kernels::Plain | Kernels::Halves | Kernels::Simd | Kernels::Reference => TierChoice::Plain,
    }
}
