//! Where a model's bytes come from and where they rest.
//!
//! ```text
//! Source (HTTP, a local file) -> Pieces: fetch, resume, check SHA-256, keep, record -> the caller, in file order
//!                                   ^ v
//!                       Store (IndexedDB, a folder, memory)
//! ```
//!
//! A file is cut into pieces of [`PIECE_SIZE`]. Each is hashed when it comes, kept, and only then does the
//! [`Record`] say so: whatever is interrupted, and whenever, leaves the model either whole or resumable.
//! A stored piece is hashed again when it is read, and fetched again if it is damaged.
//! Once the record says that the model is whole, the source is not asked for anything.
//!
//! No IO and no platform here: browsers and disks are behind [`Source`] and [`Store`], with twins in memory
//! whose faults can be planned.

#![forbid(unsafe_code)]

mod aside;
mod error;
mod fault;
mod files;
mod hash;
mod held;
mod http;
mod hub_address;
mod listing;
mod piece;
mod pieces;
mod record;
mod retry;
mod source;
mod speed;
mod store;

pub use aside::{Aside, MemoryAside};
pub use error::{Kind, StoreError};
pub use fault::Fault;
pub use files::{Files, MemoryFiles};
pub use hash::Hash;
pub use held::Held;
pub use http::{Accepted, Answer, Body};
pub use hub_address::hub_address;
pub use listing::{keep_listing, read_listing};
pub use piece::{Origin, Piece, Progress};
pub use pieces::Pieces;
pub use record::Record;
pub use source::{MemorySource, Source, check_version};
pub use speed::Speed;
pub use store::{KeepsNothing, MemoryStore, NoStore, Store};

/// Bytes of every piece but the last: one HTTP request, one stored value, one hash.
///
/// Small enough that a copy or two of it fits any memory, large enough that hosts which count requests don't mind.
pub const PIECE_SIZE: u64 = 16 * 1024 * 1024;
