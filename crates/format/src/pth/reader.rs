//! Which ranges of a `.pth` file are read, and in which order.
//!
//! The end, the directory, the pickle; then the local headers of the storages, since only they say where the bytes begin:
//! PyTorch pads them, so that data begins at multiples of 64. Those near to each other come in one range.

use std::collections::HashMap;
use std::ops::Range;

use super::directory::{self, Entry};
use super::{LOCAL_BYTES, Pth, end, tensors};
use crate::error::{FormatError, Part, quote};

/// Llama 3.1 405B's has 300 KB.
const MAX_PICKLE_BYTES: u64 = 8 << 20;
/// Local headers so near to each other are read in one range.
const NEAR: u64 = 64 << 10;
/// An entry with the word `little` or `big`; older files have none, and are little-endian.
const BYTE_ORDER: &str = "byteorder";
/// Reads a `.pth` file by ranges.
#[derive(Debug)]
pub struct PthReader {
    file_size: u64,
    stage: Stage,
    /// What [`PthReader::wants`].
    wanted: Option<Range<u64>>,
    /// In the order of the file, each ending before the next begins.
    entries: Vec<Entry>,
    /// Which of them have been found to lie where the directory says, and where their bytes begin.
    placed: HashMap<usize, u64>,
    /// The directory begins here, and all entries end before.
    directory_offset: u64,
    /// What all names begin with.
    folder: String,
    pickle: Vec<u8>,
}

#[derive(Debug, PartialEq)]
enum Stage {
    /// The end records.
    End,
    /// The ZIP64 end record, which the end records lead to.
    End64(end::Locator),
    /// The central directory.
    Directory {
        entries: u64,
    },
    /// `data.pkl`, with its local header.
    Pickle(usize),
    /// The local headers of the others.
    Headers,
    Done,
}

impl PthReader {
    /// Begins with the end of a file of `file_size` bytes.
    pub fn new(file_size: u64) -> PthReader {
        PthReader {
            file_size,
            stage: Stage::End,
            wanted: Some(file_size.saturating_sub(end::MAX_BYTES)..file_size),
            entries: Vec::new(),
            placed: HashMap::new(),
            directory_offset: 0,
            folder: String::new(),
            pickle: Vec::new(),
        }
    }

    /// The bytes that are needed next; none once [`PthReader::finish`] has all it needs.
    pub fn wants(&self) -> Option<Range<u64>> {
        self.wanted.clone()
    }

    /// Takes the bytes of the range that is wanted, all of them.
    ///
    /// # Errors
    /// If they are not those of a `.pth` file, or fewer than were asked for.
    pub fn put(&mut self, bytes: &[u8]) -> Result<(), FormatError> {
        let Some(wanted) = self.wanted.take() else { return Ok(()) };
        if bytes.len() as u64 != wanted.end - wanted.start {
            let (end, have) = (wanted.end, wanted.start + bytes.len() as u64);
            let field = "a range that was asked for".to_owned();
            return Err(FormatError::Truncated { part: Part::Zip, field, end, file_size: have });
        }
        match std::mem::replace(&mut self.stage, Stage::Done) {
            Stage::End => match end::find(bytes, wanted.start)? {
                end::End::Directory(found) => self.want_directory(found)?,
                end::End::Zip64(locator) => {
                    self.wanted = Some(locator.offset..locator.offset + end::END64_BYTES);
                    self.stage = Stage::End64(locator);
                }
            },
            Stage::End64(locator) => self.want_directory(locator.resolve(bytes)?)?,
            Stage::Directory { entries } => {
                self.entries = directory::read(bytes, entries, wanted.start)?;
                self.want_pickle()?;
            }
            Stage::Pickle(at) => self.take_pickle(at, bytes)?,
            Stage::Headers => self.take_headers(&wanted, bytes)?,
            Stage::Done => {}
        }
        Ok(())
    }

    /// What the file has, once nothing is wanted any more.
    ///
    /// # Errors
    /// If the pickle is none of a dictionary of tensors, or does not agree with the archive; or if bytes are missing.
    pub fn finish(self) -> Result<Pth, FormatError> {
        if let Some(wanted) = self.wanted {
            return Err(FormatError::NeedMore { have: wanted.start, need: wanted.end });
        }
        let file_size = self.file_size;
        let storages = self.entries.iter().enumerate().filter_map(|(at, entry)| {
            let key = entry.name.strip_prefix(&self.folder)?.strip_prefix("data/")?;
            Some((key, tensors::Storage { offset: *self.placed.get(&at)?, len: entry.len }))
        });
        let tensors = tensors::read(&self.pickle, &storages.collect())?;
        Ok(Pth { tensors, file_size })
    }

    fn take_pickle(&mut self, at: usize, bytes: &[u8]) -> Result<(), FormatError> {
        let skipped = self.place(at, bytes)?;
        let data = usize::try_from(skipped).ok().and_then(|skipped| bytes.get(skipped..));
        let len = self.entries.get(at).map_or(0, |entry| entry.len);
        self.pickle = data.unwrap_or_default().get(..len as usize).unwrap_or_default().to_vec();
        self.want_headers();
        Ok(())
    }

    fn take_headers(&mut self, range: &Range<u64>, bytes: &[u8]) -> Result<(), FormatError> {
        for at in self.unread() {
            let offset = self.entries.get(at).map_or(0, |entry| entry.offset);
            if let Some(skipped) = offset.checked_sub(range.start).filter(|_| offset < range.end) {
                let bytes = bytes.get(skipped as usize..).unwrap_or_default();
                let header = self.place(at, bytes)?;
                self.check_byte_order(at, bytes.get(header as usize..).unwrap_or_default())?;
            }
        }
        self.want_headers();
        Ok(())
    }

    fn want_directory(&mut self, found: end::Directory) -> Result<(), FormatError> {
        let end::Directory { offset, len, entries, end } = found;
        if offset.checked_add(len) != Some(end) {
            let expected = format!("a directory that ends at byte {end}, where the end records begin");
            return Err(Part::Zip.invalid(
                "directory",
                expected,
                format_args!("{len} bytes from {offset} on"),
            ));
        }
        if len > directory::MAX_BYTES || entries > directory::MAX_ENTRIES {
            let expected = format!("at most {} entries", directory::MAX_ENTRIES);
            return Err(Part::Zip.invalid("directory", expected, format_args!("{entries} in {len} bytes")));
        }
        self.directory_offset = offset;
        if len == 0 {
            return self.want_pickle(); // Which is missing.
        }
        self.wanted = Some(offset..end);
        self.stage = Stage::Directory { entries };
        Ok(())
    }

    fn want_pickle(&mut self) -> Result<(), FormatError> {
        let pickles = self.entries.iter().enumerate().filter(|(_, entry)| entry.name.ends_with("/data.pkl"));
        let (at, entry) = match pickles.collect::<Vec<_>>()[..] {
            [one] => one,
            [] => return Err(Part::Zip.missing("data.pkl, in which PyTorch lists the tensors,")),
            _ => return Err(Part::Zip.invalid("data.pkl", "one", "several")),
        };
        if entry.len > MAX_PICKLE_BYTES {
            let expected = format!("at most {MAX_PICKLE_BYTES} bytes");
            return Err(Part::Zip.invalid("data.pkl", expected, entry.len));
        }
        self.folder = entry.name.trim_end_matches("data.pkl").to_owned();
        self.wanted = Some(entry.offset..self.end_of(at));
        // The bytes up to the next entry: header, name, padding, data, and what may follow the data.
        let most = entry.len + LOCAL_BYTES + 2 * u64::from(u16::MAX) + 64;
        if self.end_of(at) - entry.offset > most {
            self.wanted = Some(entry.offset..entry.offset + most);
        }
        self.stage = Stage::Pickle(at);
        Ok(())
    }

    /// The entries that matter and whose local headers have not been read, in the order of the file.
    fn unread(&self) -> Vec<usize> {
        let matters = |name: &str| name.starts_with("data/") || name == BYTE_ORDER;
        let is_unread = |(at, entry): &(usize, &Entry)| {
            entry.name.strip_prefix(&self.folder).is_some_and(matters) && !self.placed.contains_key(at)
        };
        self.entries.iter().enumerate().filter(is_unread).map(|(at, _)| at).collect()
    }

    /// Wants the local headers that are near the first that has not been read.
    fn want_headers(&mut self) {
        let mut range: Option<Range<u64>> = None;
        for at in self.unread() {
            let Some(entry) = self.entries.get(at) else { continue };
            let mut end = entry.offset + LOCAL_BYTES + entry.name.len() as u64;
            if entry.name.ends_with(BYTE_ORDER) {
                // With its few bytes of data, and what PyTorch pads them with.
                end = self.end_of(at).min(end + 1024);
            }
            match &mut range {
                None => range = Some(entry.offset..end),
                Some(range) if entry.offset - range.start < NEAR => range.end = end,
                Some(_) => break,
            }
        }
        if range.is_some() {
            self.stage = Stage::Headers;
        }
        self.wanted = range;
    }

    /// `data` begins where the entry's does.
    fn check_byte_order(&self, at: usize, data: &[u8]) -> Result<(), FormatError> {
        match self.entries.get(at) {
            Some(entry) if entry.name.ends_with(BYTE_ORDER) && !data.starts_with(b"little") => {
                let found =
                    quote(&String::from_utf8_lossy(data.get(..entry.len.min(16) as usize).unwrap_or(data)));
                Err(Part::Zip.invalid(BYTE_ORDER, "little", found))
            }
            _ => Ok(()),
        }
    }

    /// Where an entry ends at the latest.
    fn end_of(&self, at: usize) -> u64 {
        self.entries.get(at + 1).map_or(self.directory_offset, |next| next.offset)
    }

    /// Checks an entry's local header against the directory, and gives how many bytes stand before its data.
    fn place(&mut self, at: usize, bytes: &[u8]) -> Result<u64, FormatError> {
        let Some(entry) = self.entries.get(at) else { return Ok(0) };
        let skipped = entry.check_local_header(bytes)?;
        let (data, end) = (entry.offset + skipped, self.end_of(at));
        if data.checked_add(entry.len).is_none_or(|stop| stop > end) {
            let expected = format!("{} bytes before byte {end}, where the next entry begins", entry.len);
            return Err(Part::Zip.invalid(
                quote(&entry.name),
                expected,
                format_args!("data from byte {data} on"),
            ));
        }
        self.placed.insert(at, data);
        Ok(skipped)
    }
}
