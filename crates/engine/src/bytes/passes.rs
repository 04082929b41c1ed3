//! The two ways through a model's files: in their order, and as weights want it.

use std::collections::VecDeque;

use format::Span;
use futures_util::future::try_join;
use store::{Files, Held, PIECE_SIZE, Piece, Pieces, Store, StoreError};

use super::{Bytes, First, Take};
use crate::EngineError;

/// Bytes that are used between two breaths: some milliseconds of repacking. No more are copied at once from where a
/// piece waits.
const SLICE: usize = 1 << 20;

/// A way through all files, from their first byte to their last.
struct Pass<'n, 'a, F: Files + 'a, T: Store> {
    names: &'n [String],
    sizes: &'n [u64],
    /// The file that is read, by its number.
    file: usize,
    /// Its pieces that have come before.
    head: VecDeque<Piece<T::Held>>,
    /// Those to come, once it is open.
    open: Option<Pieces<'a, F::Source<'a>, T>>,
}

/// A piece, and of which file it is.
type Next<T> = (usize, Piece<<T as Store>::Held>);

impl<'a, F: Files, T: Store> Bytes<'a, '_, F, T> {
    /// Gives `weights` all pieces.
    pub(super) async fn in_order(
        &mut self,
        names: &[String],
        sizes: &[u64],
        weights: &mut impl Take,
    ) -> Result<(), EngineError> {
        let mut pass = Pass { names, sizes, file: 0, head: VecDeque::new(), open: None };
        let mut held = self.next_of(&mut pass).await?;
        while let Some((file, piece)) = held {
            let (gate, store) = (self.gate.clone(), self.origin.store);
            let used = async {
                gate.passed().await;
                use_up(store, weights, file, piece).await
            };
            // The next piece is on its way while this one is used, of whichever file it is: a folder of our own has one a file.
            (held, ()) = try_join(self.next_of(&mut pass), used).await?;
        }
        Ok(())
    }

    /// The next piece of a pass, of the next file where one ends.
    async fn next_of(&mut self, pass: &mut Pass<'_, 'a, F, T>) -> Result<Option<Next<T>>, EngineError> {
        while let Some(name) = pass.names.get(pass.file) {
            let file = pass.file;
            let Some(pieces) = &mut pass.open else {
                let before = pass.sizes.iter().take(file).sum();
                self.report.begin_weights(before, pass.sizes.iter().sum());
                match self.first.take_if(|first| first.name == *name) {
                    Some(First { pieces, head, .. }) => (pass.head, pass.open) = (head.into(), Some(pieces)),
                    None => pass.open = Some(self.open(name).await?),
                }
                continue;
            };
            let next = match pass.head.pop_front() {
                None => self.report.next(pieces).await?,
                came => came,
            };
            if let Some(piece) = next {
                return Ok(Some((file, piece)));
            }
            let failure = pieces.storage_failure().cloned();
            self.storage_failure = self.storage_failure.take().or(failure);
            (pass.file, pass.open) = (file + 1, None);
        }
        Ok(None)
    }

    /// Reads the piece that has the next bytes wanted, again and again.
    pub(super) async fn as_wanted(
        &mut self,
        names: &[String],
        sizes: &[u64],
        weights: &mut impl Take,
    ) -> Result<(), EngineError> {
        self.gate.passed().await;
        self.first = None;
        let mut files = Vec::with_capacity(names.len());
        for name in names {
            files.push(self.open(name).await?);
        }
        // Parts that are read in turns lie in two places, and no more than two pieces are held.
        let mut latest: VecDeque<Next<T>> = VecDeque::with_capacity(2);
        let mut room = Vec::new();
        while let Some(span) = weights.wants() {
            let index = (span.offset / PIECE_SIZE) as u32; // Of a file that is short enough for a record.
            let place = (span.file, index);
            if !latest.iter().any(|(file, piece)| (*file, piece.index) == place) {
                latest.truncate(1);
                let Some(pieces) = files.get_mut(span.file) else { return Ok(()) };
                self.report.begin_weights(sizes.iter().take(span.file).sum(), sizes.iter().sum());
                latest.push_front((span.file, self.report.piece(pieces, index).await?));
            }
            let held = latest.iter().find(|(file, piece)| (*file, piece.index) == place);
            if let Some((file, piece)) = held {
                let from = (span.offset - piece.offset) as usize; // Within a piece, whose length is a usize.
                let wanted = span.len.min(SLICE as u64) as usize;
                let end = piece.bytes.size().min(from + wanted);
                if end < from || (end == from && wanted > 0) {
                    return Err(cut(names, span));
                }
                weights.push(*file, span.offset, piece.bytes.part(from..end, &mut room))?;
            }
        }
        Ok(())
    }
}

/// The file has become shorter than it was.
fn cut(names: &[String], span: Span) -> EngineError {
    let name = names.get(span.file).cloned().unwrap_or_default();
    StoreError::Cut { name, at: span.offset, end: span.offset + span.len }.into()
}

/// Gives `weights` a piece in slices, with breaths in between, and lets it go.
async fn use_up<T: Store>(
    store: &T,
    weights: &mut impl Take,
    file: usize,
    Piece { offset, bytes, .. }: Piece<T::Held>,
) -> Result<(), EngineError> {
    let (size, mut room) = (bytes.size(), Vec::new());
    for from in (0..size).step_by(SLICE) {
        let slice = bytes.part(from..size.min(from + SLICE), &mut room);
        weights.push(file, offset + from as u64, slice)?;
        store.breathe().await;
    }
    Ok(())
}
