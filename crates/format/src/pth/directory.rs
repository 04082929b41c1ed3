//! The directory of a ZIP archive, and the headers that stand before each entry's bytes.
//!
//! ```text
//! directory     "PK\1\2", u16 x 2 versions, u16 flags, u16 method, u32 time, u32 CRC, u32 stored len, u32 len,
//!               u16 n, u16 m, u16 k, u16 disk, u16 + u32 attributes, u32 offset; name of n bytes, extra of m, comment of k
//! extra         u16 id, u16 size, bytes; id 1 has those of len, stored len and offset as u64 which above have all bits set
//! local header  "PK\3\4", u16 version, u16 flags, u16 method, u32 time, u32 CRC, u32 x 2 lengths, u16 n, u16 m;
//!               name of n bytes, extra of m; then the bytes
//! ```

use std::collections::HashSet;

use super::{u16_at, u32_at, u64_at};
use crate::error::{FormatError, Part, quote};

/// 405 billion weights have some 1,200.
pub(super) const MAX_ENTRIES: u64 = 65_536;
pub(super) const MAX_BYTES: u64 = 16 << 20;

const HEADER_BYTES: usize = 46;

/// An entry of the archive.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub(super) name: String,
    /// Where the local header begins.
    pub(super) offset: u64,
    /// Bytes of the data.
    pub(super) len: u64,
}

/// Reads the directory; entries come in the order of the file.
pub(super) fn read(bytes: &[u8], count: u64, directory_offset: u64) -> Result<Vec<Entry>, FormatError> {
    let mut rest = bytes;
    let mut entries = Vec::new();
    for index in 0..count {
        let (entry, after) = read_entry(rest, index)?;
        entries.push(entry);
        rest = after;
    }
    if !rest.is_empty() {
        let found = format!("{} bytes more", rest.len());
        return Err(Part::Zip.invalid("directory", format_args!("{count} entries"), found));
    }
    entries.sort_by_key(|entry| entry.offset);
    let mut names = HashSet::new();
    if let Some(twice) = entries.iter().find(|entry| !names.insert(entry.name.as_str())) {
        return Err(Part::Zip.invalid(quote(&twice.name), "one entry of that name", "two"));
    }
    let ends = entries.iter().skip(1).map(|entry| entry.offset).chain([directory_offset]);
    for (entry, end) in entries.iter().zip(ends) {
        let least = (super::LOCAL_BYTES + entry.name.len() as u64).checked_add(entry.len);
        let stop = least.and_then(|least| entry.offset.checked_add(least));
        if stop.is_none_or(|stop| stop > end) {
            let expected =
                format!("{} bytes and a header before byte {end}, where the next entry begins", entry.len);
            let found = format!("an entry at byte {}", entry.offset);
            return Err(Part::Zip.invalid(quote(&entry.name), expected, found));
        }
    }
    Ok(entries)
}

fn read_entry(bytes: &[u8], index: u64) -> Result<(Entry, &[u8]), FormatError> {
    let cut = || Part::Zip.invalid("directory", format_args!("entry {index}"), "its end, or something else");
    if !bytes.starts_with(b"PK\x01\x02") {
        return Err(cut());
    }
    let lengths = [28, 30, 32].map(|at| u16_at(bytes, at).map(usize::from));
    let [Some(name_len), Some(extra_len), Some(comment_len)] = lengths else { return Err(cut()) };
    let (_, after) = bytes.split_at_checked(HEADER_BYTES).ok_or_else(cut)?;
    let (name, after) = after.split_at_checked(name_len).ok_or_else(cut)?;
    let (extra, after) = after.split_at_checked(extra_len).ok_or_else(cut)?;
    let (_, after) = after.split_at_checked(comment_len).ok_or_else(cut)?;
    let name = str::from_utf8(name).map_err(|_| {
        Part::Zip.invalid(format!("name of entry {index}"), "UTF-8", quote(&String::from_utf8_lossy(name)))
    })?;
    let numbers = || {
        Some((
            u16_at(bytes, 8)?,
            u16_at(bytes, 10)?,
            u32_at(bytes, 20)?,
            u32_at(bytes, 24)?,
            u32_at(bytes, 42)?,
        ))
    };
    let (flags, method, stored_len, len, offset) = numbers().ok_or_else(cut)?;
    check_method(name, flags, method)?;
    let [len, stored_len, offset] = zip64(name, extra, [len, stored_len, offset])?;
    if stored_len != len {
        return Err(Part::Zip.invalid(
            quote(name),
            format_args!("{len} bytes, since it is not compressed"),
            stored_len,
        ));
    }
    Ok((Entry { name: name.to_owned(), offset, len }, after))
}

fn check_method(name: &str, flags: u16, method: u16) -> Result<(), FormatError> {
    let found = match (flags & 1, method) {
        (0, 0) => return Ok(()),
        (0, 8) => "deflated".to_owned(),
        (0, method) => format!("compressed by method {method}"),
        _ => "encrypted".to_owned(),
    };
    Err(Part::Zip.invalid(quote(name), "stored as it is, as PyTorch does", found))
}

/// Length, stored length and offset, each from the ZIP64 extra field if it has all bits set.
fn zip64(name: &str, extra: &[u8], numbers: [u32; 3]) -> Result<[u64; 3], FormatError> {
    let mut field = zip64_field(extra).unwrap_or_default();
    let mut resolved = [0; 3];
    for (number, resolved) in numbers.into_iter().zip(&mut resolved) {
        *resolved = u64::from(number);
        if number == u32::MAX {
            let Some(long) = u64_at(field, 0) else {
                return Err(Part::Zip.invalid(quote(name), "a ZIP64 field with its lengths", "none"));
            };
            *resolved = long;
            field = field.get(8..).unwrap_or_default();
        }
    }
    Ok(resolved)
}

fn zip64_field(mut extra: &[u8]) -> Option<&[u8]> {
    loop {
        let (id, size) = (u16_at(extra, 0)?, usize::from(u16_at(extra, 2)?));
        let (field, rest) = extra.get(4..)?.split_at_checked(size)?;
        if id == 1 {
            return Some(field);
        }
        extra = rest;
    }
}

impl Entry {
    /// Checks the header before the data, and gives its length with the name and what follows the name.
    pub(super) fn check_local_header(&self, bytes: &[u8]) -> Result<u64, FormatError> {
        let header = || {
            let lengths = (u16_at(bytes, 26)?, u16_at(bytes, 28)?);
            bytes.starts_with(b"PK\x03\x04").then_some((u16_at(bytes, 6)?, u16_at(bytes, 8)?, lengths))
        };
        let Some((flags, method, (name_len, extra_len))) = header() else {
            let expected = format!("its header at byte {}", self.offset);
            return Err(Part::Zip.invalid(quote(&self.name), expected, "something else"));
        };
        check_method(&self.name, flags, method)?;
        let name = bytes.get(30..30 + usize::from(name_len)).unwrap_or_default();
        if name != self.name.as_bytes() {
            let found = quote(&String::from_utf8_lossy(name));
            return Err(Part::Zip.invalid(quote(&self.name), "the same name before its bytes", found));
        }
        Ok(super::LOCAL_BYTES + u64::from(name_len) + u64::from(extra_len))
    }
}
