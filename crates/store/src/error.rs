//! What can go wrong with a model's bytes, in sentences a person can act on.

use std::ops::Range;

use crate::Hash;

/// Why bytes did not come, are not the right ones, or could not be kept.
///
/// `name` is the source's: the address or the file's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// No answer at all. Tried again.
    #[error("{name} could not be reached ({detail}). {advice}")]
    Unreachable {
        /// The source.
        name: String,
        /// What the platform says.
        detail: String,
        /// What to do: a page may have been kept out by the host, a terminal can't be.
        advice: &'static str,
    },
    /// The connection ended before the answer did. Tried again, from where it ended.
    #[error(
        "The connection to {name} was cut at byte {at}, expected {end}. What came is kept; load again to go on."
    )]
    Cut {
        /// The source.
        name: String,
        /// The byte that would have come next.
        at: u64,
        /// The byte after the last one asked for.
        end: u64,
    },
    /// The host asks to wait. Tried again after that.
    #[error("The host of {name} is busy (HTTP status {status}). Try again {}.", when(*retry_after))]
    Busy {
        /// The source.
        name: String,
        /// 429 or 503.
        status: u16,
        /// Seconds to wait, if it says.
        retry_after: Option<u32>,
    },
    /// The host has a fault. Tried again.
    #[error("The host of {name} has a fault of its own (HTTP status {status}). Try again later.")]
    Server {
        /// The source.
        name: String,
        /// 500 to 599, or 408.
        status: u16,
    },
    /// Still failing after several tries without a single further byte.
    #[error("{last} Tried {tries} times.")]
    GaveUp {
        /// How often.
        tries: u32,
        /// The last failure.
        last: Box<StoreError>,
    },
    /// There is no such file.
    #[error("There is no file at {name} (HTTP status {status}). Check the address.")]
    NotFound {
        /// The source.
        name: String,
        /// 404 or 410.
        status: u16,
    },
    /// There is no such file on this machine.
    #[error("There is no file {name}.")]
    Absent {
        /// The file's name.
        name: String,
    },
    /// The host wants to know who asks.
    #[error(
        "{name} is not open to everyone (HTTP status {status}). \
         Take a copy of the model that needs no login, or download the file and open it from disk."
    )]
    Denied {
        /// The source.
        name: String,
        /// 401, 403 or 407.
        status: u16,
    },
    /// Any other status that brings no bytes.
    #[error("The host of {name} refused the request: HTTP status {status}, expected 200 or 206.")]
    Refused {
        /// The source.
        name: String,
        /// The status.
        status: u16,
    },
    /// Something else came in the model's place.
    #[error("{name} brought {found}, expected a model file. {advice}")]
    NotAModel {
        /// The source.
        name: String,
        /// What came, e.g. `a web page`.
        found: &'static str,
        /// What to do.
        advice: &'static str,
    },
    /// The bytes on the wire are not the file's.
    #[error(
        "The host sends {name} compressed ({}), so byte ranges of it mean nothing. \
         Model files must be served without Content-Encoding.",
        encoding.escape_debug()
    )]
    Encoded {
        /// The source.
        name: String,
        /// The encoding.
        encoding: String,
    },
    /// Other bytes than those asked for.
    #[error("The host of {name} sent other bytes than asked: expected {}, found {}.", range(expected), found.escape_debug())]
    WrongRange {
        /// The source.
        name: String,
        /// What was asked.
        expected: Range<u64>,
        /// What came.
        found: String,
    },
    /// The host does not say how long the file is.
    #[error(
        "The host does not say how long {name} is. Take another host, or download the file and open it from disk."
    )]
    SizeUnknown {
        /// The source.
        name: String,
    },
    /// The file is not the one whose first part was read.
    #[error("{name} has changed: expected {expected}, found {found}. Load it again from the start.")]
    Changed {
        /// The source.
        name: String,
        /// What it was.
        expected: String,
        /// What it is.
        found: String,
    },
    /// Longer than any model.
    #[error("{name} has {size} bytes, and at most {limit} can be read.")]
    TooLarge {
        /// The source.
        name: String,
        /// Its length in bytes.
        size: u64,
        /// The longest that is read.
        limit: u64,
    },
    /// A local file does not give its bytes.
    #[error("{name} can't be read ({detail}). Pick the file again.")]
    Unreadable {
        /// The source.
        name: String,
        /// What the platform says.
        detail: String,
    },
    /// The bytes are not the published ones, and did not become so by fetching them again.
    #[error(
        "Piece {piece} of {name} is damaged or has been replaced: expected SHA-256 {expected}, found {found}. \
         Don't use this copy; take the model from another host."
    )]
    HashMismatch {
        /// The source.
        name: String,
        /// Which piece, from 0.
        piece: u32,
        /// The published hash.
        expected: Hash,
        /// The hash of what came, twice.
        found: Hash,
    },
    /// The published hashes are of another file.
    #[error(
        "{name} has {pieces} pieces of 16 MiB, but hashes were published for {hashes}. The list belongs to another file."
    )]
    HashCount {
        /// The source.
        name: String,
        /// Pieces that the file has.
        pieces: u64,
        /// Hashes given.
        hashes: usize,
    },
    /// A published hash that can't be one.
    #[error("A SHA-256 has 64 hexadecimal digits, found {found:?}.")]
    NotAHash {
        /// What was given, cut at 80 characters.
        found: String,
    },
    /// The place where pieces rest is full.
    #[error("There is no room left to store the model ({detail}). Free some space, or remove another model.")]
    Quota {
        /// What the platform says.
        detail: String,
    },
    /// What is written down about a stored model can't be read.
    #[error("The record of the stored model is damaged: expected one, found {found} other bytes.")]
    DamagedRecord {
        /// How many bytes were found in its place.
        found: usize,
    },
    /// The place where pieces rest does not work.
    #[error("The storage on this machine failed ({detail}).")]
    Storage {
        /// What the platform says.
        detail: String,
    },
}

/// Who can help against an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The connection, or the model's host.
    Network,
    /// This machine's storage.
    Storage,
    /// The file itself.
    File,
}

impl StoreError {
    /// Who can help.
    pub fn kind(&self) -> Kind {
        match self {
            StoreError::GaveUp { last, .. } => last.kind(),
            StoreError::Quota { .. } | StoreError::DamagedRecord { .. } | StoreError::Storage { .. } => {
                Kind::Storage
            }
            StoreError::TooLarge { .. }
            | StoreError::Absent { .. }
            | StoreError::Unreadable { .. }
            | StoreError::HashMismatch { .. }
            | StoreError::HashCount { .. }
            | StoreError::NotAHash { .. } => Kind::File,
            _ => Kind::Network,
        }
    }

    /// Whether there is no such file, which some files of a model may lack.
    pub fn is_absence(&self) -> bool {
        matches!(self, StoreError::Absent { .. } | StoreError::NotFound { .. })
    }

    /// Whether the same request may succeed a little later.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            StoreError::Unreachable { .. }
                | StoreError::Cut { .. }
                | StoreError::Busy { .. }
                | StoreError::Server { .. }
        )
    }
}

fn when(retry_after: Option<u32>) -> String {
    match retry_after {
        None => "later".into(),
        Some(seconds) => format!("in {seconds} seconds"),
    }
}

/// Half open in code, first to last byte in HTTP.
fn range(range: &Range<u64>) -> String {
    format!("bytes {}-{}", range.start, range.end.saturating_sub(1))
}
