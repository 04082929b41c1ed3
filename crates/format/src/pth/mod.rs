//! `.pth`: tensors as PyTorch saves them, which is how Meta gives Llama away.
//!
//! ```text
//! a ZIP archive, nothing compressed
//!   NAME/data.pkl     a pickle: {"layers.0.attention.wq.weight": a tensor of storage "3", ...}
//!   NAME/data/3       the bytes of storage 3, little-endian and row-major
//!   NAME/version, NAME/byteorder, ...
//! central directory, end records       from its end, a ZIP archive is read
//! ```
//!
//! A pickle is a program, and Python's unpickler runs whatever it names.
//! This one knows the dozen instructions and the five names that a dictionary of tensors takes, and nothing else.
//!
//! The file is read by ranges: [`PthReader::wants`] says which, [`PthReader::put`] takes the bytes.
//! Sources: PKWARE's APPNOTE 6.3.10; PyTorch's `serialization.py` and `inline_container.cc`; `pickletools`.

mod code;
mod directory;
mod end;
mod pickle;
mod reader;
mod tensors;
mod value;

use crate::GgmlType;
pub use reader::PthReader;

/// Bytes of a local header before the name.
const LOCAL_BYTES: u64 = 30;

/// The tensors of a `.pth` file, every length checked against the file's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pth {
    /// In the order of the pickle.
    pub tensors: Vec<PthTensor>,
    /// The whole file's length in bytes.
    pub file_size: u64,
}

/// A tensor of a `.pth` file: whole rows, one behind the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PthTensor {
    /// As in the file: `layers.0.attention.wq.weight`.
    pub name: String,
    /// `F32`, `F16` or `BF16`.
    pub dtype: GgmlType,
    /// Lengths of the dimensions, the contiguous one last.
    pub shape: Vec<u64>,
    /// Where the bytes begin, from the start of the file.
    pub offset: u64,
    /// How many bytes.
    pub len: u64,
}

/// Little-endian numbers at some place; none if the bytes end before.
fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}
