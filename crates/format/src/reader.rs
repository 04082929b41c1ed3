//! A cursor over the first bytes of a file whose rest has not been read.
//!
//! It tells three ends apart: the end of the bytes at hand (fetch more), of the file (it is cut short),
//! and of what a header may have (refuse).

use crate::error::{FormatError, Part};

pub(crate) struct Reader<'a> {
    prefix: &'a [u8],
    position: usize,
    file_size: u64,
    max_header_bytes: u64,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(prefix: &'a [u8], file_size: u64, max_header_bytes: u64) -> Reader<'a> {
        Reader { prefix, position: 0, file_size, max_header_bytes }
    }

    pub(crate) fn position(&self) -> u64 {
        self.position as u64
    }

    /// Fails unless `len` more bytes are at hand. Called before anything is allocated for them.
    pub(crate) fn need(&self, len: u64, part: Part, field: &str) -> Result<(), FormatError> {
        let have = (self.prefix.len() as u64).min(self.file_size);
        let end = self.position().saturating_add(len);
        if end > self.file_size {
            let (field, file_size) = (field.to_owned(), self.file_size);
            return Err(FormatError::Truncated { part, field, end, file_size });
        }
        if end > self.max_header_bytes {
            let (field, limit) = (field.to_owned(), self.max_header_bytes);
            return Err(FormatError::HeaderTooLong { part, field, end, limit });
        }
        if end > have {
            return Err(FormatError::NeedMore { have, need: end });
        }
        Ok(())
    }

    pub(crate) fn slice(&mut self, len: u64, part: Part, field: &str) -> Result<&'a [u8], FormatError> {
        self.need(len, part, field)?;
        // In range, and `len` fits a `usize`, because `need` found that many bytes at hand.
        let (_, rest) = self.prefix.split_at(self.position);
        let (bytes, _) = rest.split_at(len as usize);
        self.position += bytes.len();
        Ok(bytes)
    }

    pub(crate) fn bytes<const N: usize>(&mut self, part: Part, field: &str) -> Result<[u8; N], FormatError> {
        let mut bytes = [0; N];
        bytes.copy_from_slice(self.slice(N as u64, part, field)?);
        Ok(bytes)
    }

    pub(crate) fn u32(&mut self, part: Part, field: &str) -> Result<u32, FormatError> {
        Ok(u32::from_le_bytes(self.bytes(part, field)?))
    }

    pub(crate) fn u64(&mut self, part: Part, field: &str) -> Result<u64, FormatError> {
        Ok(u64::from_le_bytes(self.bytes(part, field)?))
    }

    /// A length, and as many bytes of UTF-8, at most `max`.
    pub(crate) fn string(&mut self, max: u64, part: Part, field: &str) -> Result<&'a str, FormatError> {
        let len = self.u64(part, field)?;
        // Against the file first: of a length past its end one wants to hear just that.
        if len > max && self.position().saturating_add(len) <= self.file_size {
            return Err(part.invalid(
                field,
                format_args!("a string of at most {max} bytes"),
                format_args!("{len} bytes"),
            ));
        }
        let bytes = self.slice(len, part, field)?;
        str::from_utf8(bytes).map_err(|error| {
            let at = error.valid_up_to();
            part.invalid(field, "UTF-8", format_args!("byte {:#04x} after {at} bytes", bytes[at]))
        })
    }
}
