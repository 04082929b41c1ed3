//! safetensors: what a file says of its tensors, before anything is made of it.
//!
//! ```text
//! u64 n, little-endian
//! n bytes of JSON: {"__metadata__": {"format": "pt"}, "NAME": {"dtype": "BF16", "shape": [out, in], "data_offsets": [begin, end]}, ...}
//! the tensors' bytes, row-major and little-endian; offsets count from here
//! ```
//!
//! The format's own rules are kept to: at most 100 MB of JSON that starts with `{`, no name twice, and bytes that
//! belong to one tensor each, without holes and up to the end.
//! Source: the README of huggingface/safetensors.
//!
//! The crate `safetensors` is not used: on wasm32 it refuses tensors of 512 MiB and offsets past 4 GiB, which
//! Llama 3.1 8B has both, since it counts bits in `usize`; and it wants the whole file in memory.

mod dtype;
mod entries;

use std::collections::HashSet;

pub use dtype::SafetensorsType;

use crate::error::{FormatError, Part, quote, quote_odd};
use crate::reader::Reader;
use entries::{Entries, Entry};

const MAX_HEADER_BYTES: u64 = 100_000_000;
/// More dimensions than any tensor has that a model of language is made of.
const MAX_DIMS: usize = 8;

/// The header of a safetensors file, every length checked against the file's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SafetensorsHeader {
    /// What the file says of itself, in its order.
    pub metadata: Vec<(String, String)>,
    /// The tensors in the order of their bytes.
    pub tensors: Vec<SafetensorsTensor>,
    /// Where the tensors' bytes begin.
    pub data_offset: u64,
    /// The whole file's length in bytes.
    pub file_size: u64,
}

/// A tensor of a safetensors file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SafetensorsTensor {
    /// As in the file: `model.layers.0.self_attn.q_proj.weight`.
    pub name: String,
    /// What the elements are.
    pub dtype: SafetensorsType,
    /// Lengths of the dimensions, the contiguous one last.
    pub shape: Vec<u64>,
    /// Where the bytes begin, from the start of the file.
    pub offset: u64,
    /// How many bytes.
    pub len: u64,
}

impl SafetensorsHeader {
    /// Reads the header from the first bytes of a file of `file_size` bytes.
    ///
    /// # Errors
    /// [`FormatError::NeedMore`] if `prefix` ends before the header does: append the file's next piece and call again.
    /// Any other error is final.
    pub fn parse(prefix: &[u8], file_size: u64) -> Result<SafetensorsHeader, FormatError> {
        let part = Part::SafetensorsHeader;
        let mut reader = Reader::new(prefix, file_size, MAX_HEADER_BYTES + 8);
        reader.need(9, part, "the length of the header")?;
        let length = reader.u64(part, "the length of the header")?;
        // Said first, since the length that another kind of file seems to begin with is absurd.
        if prefix.get(8) != Some(&b'{') {
            let start = prefix.get(..16).unwrap_or(prefix);
            return Err(FormatError::NotSafetensors { found: quote(&String::from_utf8_lossy(start)) });
        }
        let json = reader.slice(length, part, "the header")?;
        let Entries { metadata, tensors } = entries::parse(json)?;
        let data_offset = reader.position();
        let tensors = tensors.into_iter().map(|(name, entry)| checked(name, entry));
        let mut tensors: Vec<SafetensorsTensor> = tensors.collect::<Result<_, _>>()?;
        // By the names last, so that the order of empty tensors is one and the same in every run.
        tensors.sort_by(|a, b| (a.offset, a.len, &a.name).cmp(&(b.offset, b.len, &b.name)));
        place(&mut tensors, data_offset, file_size)?;
        let mut names = HashSet::with_capacity(tensors.len());
        if let Some(twice) = tensors.iter().find(|tensor| !names.insert(tensor.name.as_str())) {
            let found = format!("{} again", quote(&twice.name));
            return Err(part.invalid("name of a tensor", "a new name", found));
        }
        Ok(SafetensorsHeader { metadata, tensors, data_offset, file_size })
    }
}

/// That type, shape and offsets agree. The offset still counts from the start of the data: see [`place`].
fn checked(name: String, entry: Entry) -> Result<SafetensorsTensor, FormatError> {
    let shown = quote_odd(&name);
    let invalid =
        |expected: String, found: String| Part::SafetensorsHeader.invalid(shown.clone(), expected, found);
    let Some(dtype) = SafetensorsType::from_name(&entry.dtype) else {
        return Err(invalid("a type that safetensors has".into(), quote(&entry.dtype)));
    };
    if entry.shape.len() > MAX_DIMS {
        return Err(invalid(format!("at most {MAX_DIMS} dimensions"), entry.shape.len().to_string()));
    }
    let elements = entry.shape.iter().try_fold(1u64, |product, n| product.checked_mul(*n));
    let Some(len) = elements.and_then(|elements| dtype.bytes(elements)) else {
        let expected = format!("whole bytes of {dtype}, fewer than 2^64");
        return Err(invalid(expected, format!("shape {:?}", entry.shape)));
    };
    let [begin, end] = entry.data_offsets;
    if end.checked_sub(begin) != Some(len) {
        let expected = format!("{len} bytes, as {dtype} of shape {:?} takes", entry.shape);
        return Err(invalid(expected, format!("data_offsets {:?}", entry.data_offsets)));
    }
    Ok(SafetensorsTensor { name, dtype, shape: entry.shape, offset: begin, len })
}

/// Turns offsets into positions in the file, each checked to begin where the one before ends.
fn place(tensors: &mut [SafetensorsTensor], data_offset: u64, file_size: u64) -> Result<(), FormatError> {
    let part = Part::SafetensorsHeader;
    let mut end = 0u64;
    let mut before = "the header".to_owned();
    for tensor in tensors {
        let shown = quote_odd(&tensor.name);
        if tensor.offset != end {
            let expected = format!("data that begins at byte {end}, where {before} ends");
            return Err(part.invalid(shown, expected, format_args!("byte {}", tensor.offset)));
        }
        // `checked` has found that this sum does not overflow.
        end = tensor.offset.saturating_add(tensor.len);
        let (start, stop) = (tensor.offset.saturating_add(data_offset), end.saturating_add(data_offset));
        if stop > file_size {
            return Err(FormatError::Truncated {
                part: Part::TensorData,
                field: shown,
                end: stop,
                file_size,
            });
        }
        (tensor.offset, before) = (start, shown);
    }
    let end = end.saturating_add(data_offset);
    if end != file_size {
        let found = format!("{} bytes more", file_size.saturating_sub(end));
        return Err(part.invalid("the file", format_args!("its end after {before}, at byte {end}"), found));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
