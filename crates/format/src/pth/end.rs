//! The end of a ZIP archive, which says where the directory is.
//!
//! ```text
//! ZIP64 end      "PK\6\6", u64 size, u16 x 2 versions, u32 x 2 disks, u64 entries here, u64 entries, u64 len, u64 offset
//! ZIP64 locator  "PK\6\7", u32 disk, u64 offset of the ZIP64 end, u32 disks
//! end            "PK\5\6", u16 x 2 disks, u16 entries here, u16 entries, u32 len, u32 offset, u16 n, comment of n bytes
//! ```
//!
//! The first two are there if a number does not fit the third; it then has all bits set.

use super::{u16_at, u32_at, u64_at};
use crate::error::{FormatError, Part};

const END_BYTES: usize = 22;
const LOCATOR_BYTES: usize = 20;
pub(super) const END64_BYTES: u64 = 56;
/// What the records may take at most, with the longest comment.
pub(super) const MAX_BYTES: u64 = (END_BYTES + LOCATOR_BYTES + 0xFFFF) as u64 + END64_BYTES;

/// Where the directory is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Directory {
    pub(super) offset: u64,
    pub(super) len: u64,
    pub(super) entries: u64,
    /// Where the end records begin.
    pub(super) end: u64,
}

/// Where the ZIP64 end is, and what the end proper says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Locator {
    pub(super) offset: u64,
    entries: u16,
    len: u32,
    directory: u32,
}

pub(super) enum End {
    Directory(Directory),
    Zip64(Locator),
}

/// Looks for the end records in the file's last bytes, which begin at `start`.
pub(super) fn find(bytes: &[u8], start: u64) -> Result<End, FormatError> {
    // From the end on, and with a comment that reaches right up to it: the comment may hold anything.
    let is_end = |at: &usize| {
        bytes.get(*at..).is_some_and(|rest| rest.starts_with(b"PK\x05\x06"))
            && u16_at(bytes, at + 20)
                .is_some_and(|comment| at + END_BYTES + usize::from(comment) == bytes.len())
    };
    let last = bytes.len().saturating_sub(END_BYTES);
    let Some(at) = (0..=last).rev().find(is_end) else {
        return Err(Part::Zip
            .missing("the directory at the end of the file: it is cut short, or no .pth file, or it"));
    };
    let numbers = || {
        let disks = [u16_at(bytes, at + 4)?, u16_at(bytes, at + 6)?];
        let entries = [u16_at(bytes, at + 8)?, u16_at(bytes, at + 10)?];
        Some((disks, entries, u32_at(bytes, at + 12)?, u32_at(bytes, at + 16)?))
    };
    let Some((disks, [here, entries], len, directory)) = numbers() else {
        return Err(Part::Zip.missing("the end record"));
    };
    let locator = at
        .checked_sub(LOCATOR_BYTES)
        .filter(|at| bytes.get(*at..).is_some_and(|b| b.starts_with(b"PK\x06\x07")));
    if let Some(locator) = locator {
        let offset = u64_at(bytes, locator + 8).unwrap_or_default();
        let stands_before = offset.checked_add(END64_BYTES) == Some(start + locator as u64);
        if !stands_before {
            let expected = format!("a ZIP64 record that ends at byte {}", start + locator as u64);
            return Err(Part::Zip.invalid("ZIP64 locator", expected, format_args!("one at byte {offset}")));
        }
        return Ok(End::Zip64(Locator { offset, entries, len, directory }));
    }
    if disks != [0, 0] || here != entries {
        return Err(Part::Zip.invalid("the archive", "one file", "one of several disks"));
    }
    let (offset, len, entries) = (u64::from(directory), u64::from(len), u64::from(entries));
    Ok(End::Directory(Directory { offset, len, entries, end: start + at as u64 }))
}

impl Locator {
    /// Reads the ZIP64 end. Numbers that the end proper has too must be the same.
    pub(super) fn resolve(&self, bytes: &[u8]) -> Result<Directory, FormatError> {
        let numbers = || {
            let disks = [u32_at(bytes, 16)?, u32_at(bytes, 20)?];
            let entries = [u64_at(bytes, 24)?, u64_at(bytes, 32)?];
            Some((disks, entries, u64_at(bytes, 40)?, u64_at(bytes, 48)?))
        };
        let (true, Some((disks, [here, entries], len, offset))) =
            (bytes.starts_with(b"PK\x06\x06"), numbers())
        else {
            return Err(Part::Zip.missing("the ZIP64 end record"));
        };
        if disks != [0, 0] || here != entries {
            return Err(Part::Zip.invalid("the archive", "one file", "one of several disks"));
        }
        let same16 = self.entries == u16::MAX || u64::from(self.entries) == entries;
        let same32 = |stated: u32, number: u64| stated == u32::MAX || u64::from(stated) == number;
        if !same16 || !same32(self.len, len) || !same32(self.directory, offset) {
            let expected = format!("{entries} entries, {len} bytes at {offset}, as the ZIP64 record says");
            let found = format!("{} entries, {} bytes at {}", self.entries, self.len, self.directory);
            return Err(Part::Zip.invalid("the end record", expected, found));
        }
        Ok(Directory { offset, len, entries, end: self.offset })
    }
}
