//! What [`Pieces`](crate::Pieces) gives out, and how far it is.

/// A part of the file whose hash has been checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece<H> {
    /// Which one, from 0.
    pub index: u32,
    /// Where it begins in the file.
    pub offset: u64,
    /// Its bytes: [`PIECE_SIZE`](crate::PIECE_SIZE), or fewer if it is the last.
    pub bytes: H,
    /// Where they came from.
    pub origin: Origin,
}

/// Where a piece came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The source.
    Fetched,
    /// The store.
    Stored,
}

/// How far a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Bytes that are there, those of the piece that is coming included.
    pub done: u64,
    /// Bytes of the file.
    pub total: u64,
    /// Bytes that came from the source so far, those fetched twice included.
    pub fetched: u64,
}
