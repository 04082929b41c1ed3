//! Where the weights of a checkpoint are read from.

use std::ops::Range;

/// The files of a checkpoint, as [`Span::file`](format::Span::file) counts them.
pub trait Source {
    /// Appends the bytes of `range` to `into`, all of them. What went wrong is said in words that follow a colon.
    fn read(&self, file: usize, range: Range<u64>, into: &mut Vec<u8>) -> Result<(), String>;
}

/// Files in memory.
#[derive(Debug, Clone, Default)]
pub struct MemorySource(pub Vec<Vec<u8>>);

impl Source for MemorySource {
    fn read(&self, file: usize, range: Range<u64>, into: &mut Vec<u8>) -> Result<(), String> {
        let bytes = self.0.get(file).ok_or_else(|| format!("there is no file {file}"))?;
        let [start, end] = [range.start, range.end].map(|at| usize::try_from(at).unwrap_or(usize::MAX));
        into.extend(bytes.get(start..end).ok_or_else(|| format!("file {file} ends before byte {end}"))?);
        Ok(())
    }
}
