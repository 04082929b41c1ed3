//! Telling how far a load is, without telling it too often.

use protocol::{LoadProgress, LoadStage};
use store::{Piece, Pieces, Progress, Source, Speed, Store};
use web_time::Instant;

use crate::EngineError;

/// Events are at least this far apart, unless the stage changes.
const SECONDS_APART: f64 = 0.1;

/// Turns the store's counts into the page's progress.
pub(crate) struct Reporter<'a> {
    on_progress: &'a mut dyn FnMut(LoadProgress),
    speed: Speed,
    started: Instant,
    last: Option<Instant>,
    progress: LoadProgress,
    /// Bytes of the files before the one that is read, and bytes of all, once that is known.
    before: u64,
    total: u64,
    /// Bytes fetched of this file, and of all before it.
    fetched: u64,
    fetched_before: u64,
}

impl<'a> Reporter<'a> {
    pub(crate) fn new(on_progress: &'a mut dyn FnMut(LoadProgress)) -> Reporter<'a> {
        let progress = LoadProgress {
            stage: LoadStage::Opening,
            done_bytes: 0,
            total_bytes: 0,
            fetched_bytes: 0,
            bytes_per_second: 0.0,
            seconds_left: None,
        };
        Reporter {
            on_progress,
            speed: Speed::default(),
            started: Instant::now(),
            last: None,
            progress,
            before: 0,
            total: 0,
            fetched: 0,
            fetched_before: 0,
        }
    }

    /// The device and the file are asked what they are.
    pub(crate) fn opening(&mut self) {
        (self.on_progress)(self.progress.clone());
    }

    /// The header of another file is read.
    pub(crate) fn begin_file(&mut self) {
        self.fetched_before += std::mem::take(&mut self.fetched);
    }

    /// A file's weights are read; `before` it lie so many bytes, of a `total`.
    pub(crate) fn begin_weights(&mut self, before: u64, total: u64) {
        self.begin_file();
        (self.before, self.total) = (before, total);
        self.progress.total_bytes = total;
    }

    /// Every byte is there; kernels are compiled.
    pub(crate) fn preparing(&mut self) {
        self.progress.stage = LoadStage::Preparing;
        self.progress.done_bytes = self.progress.total_bytes;
        self.progress.seconds_left = None;
        (self.on_progress)(self.progress.clone());
    }

    /// The next piece, with progress on the way.
    pub(crate) async fn next<S: Source, T: Store>(
        &mut self,
        pieces: &mut Pieces<'_, S, T>,
    ) -> Result<Option<Piece<T::Held>>, EngineError> {
        let piece = pieces.next(&mut |progress| self.arrived(progress)).await?;
        Ok(piece)
    }

    /// A piece by its number, with progress on the way.
    pub(crate) async fn piece<S: Source, T: Store>(
        &mut self,
        pieces: &mut Pieces<'_, S, T>,
        index: u32,
    ) -> Result<Piece<T::Held>, EngineError> {
        Ok(pieces.piece(index, &mut |progress| self.arrived(progress)).await?)
    }

    fn arrived(&mut self, progress: Progress) {
        self.fetched = progress.fetched;
        let fetched = self.fetched_before + self.fetched;
        // What was read for the headers is not taken back while it is read once more.
        let done = (self.before + progress.done).max(self.progress.done_bytes);
        let total = self.total.max(progress.total).max(done);
        let milliseconds = self.started.elapsed().as_secs_f64() * 1000.0;
        self.speed.add(milliseconds, done);
        let stage = if fetched > 0 { LoadStage::Downloading } else { LoadStage::Reading };
        let due = self.last.is_none_or(|last| last.elapsed().as_secs_f64() >= SECONDS_APART);
        if due || stage != self.progress.stage {
            self.last = Some(Instant::now());
            self.progress = LoadProgress {
                stage,
                done_bytes: done,
                total_bytes: total,
                fetched_bytes: fetched,
                bytes_per_second: self.speed.bytes_per_second(),
                seconds_left: self.speed.seconds_left(total - done),
            };
            (self.on_progress)(self.progress.clone());
        }
    }
}
