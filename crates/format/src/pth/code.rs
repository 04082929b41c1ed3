//! The bytes of a pickle, and the instructions that stand for a value by themselves.

use super::value::Value;
use crate::error::{FormatError, Part, quote};

const PART: Part = Part::Pickle;

/// The bytes, as they are read.
pub(super) struct Code<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
}

impl<'a> Code<'a> {
    pub(super) fn slice(&mut self, len: usize) -> Result<&'a [u8], FormatError> {
        let taken = self.bytes.get(self.at..).and_then(|rest| rest.get(..len));
        self.at = self.at.saturating_add(len);
        taken.ok_or_else(|| PART.invalid("the end", "STOP", "the end of the file"))
    }

    pub(super) fn take<const N: usize>(&mut self) -> Result<[u8; N], FormatError> {
        Ok(*self.slice(N)?.first_chunk().unwrap_or(&[0; N]))
    }

    /// A line of text, without its end.
    pub(super) fn line(&mut self) -> Result<&'a str, FormatError> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let len = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
        let at = self.at;
        let line = self.slice(len)?;
        self.slice(1)?;
        str::from_utf8(line).map_err(|_| invalid(at, "UTF-8", "other bytes"))
    }
}

/// An error about the instruction at some byte.
pub(super) fn invalid(at: usize, expected: &str, found: impl std::fmt::Display) -> FormatError {
    PART.invalid(format!("byte {at}"), expected, found)
}

/// A string, a number, or another constant.
pub(super) fn literal(opcode: u8, at: usize, code: &mut Code) -> Result<Value, FormatError> {
    Ok(match opcode {
        b'N' => Value::None,
        0x88 | 0x89 => Value::Bool,
        b'K' => Value::Integer(i64::from(u8::from_le_bytes(code.take()?))),
        b'M' => Value::Integer(i64::from(u16::from_le_bytes(code.take()?))),
        b'J' => Value::Integer(i64::from(i32::from_le_bytes(code.take()?))),
        0x8a => {
            let [len] = code.take()?;
            let bytes = code.slice(usize::from(len))?;
            let mut le = [if bytes.last().is_some_and(|byte| *byte > 127) { 255 } else { 0 }; 8];
            match le.get_mut(..bytes.len()) {
                Some(low) => low.copy_from_slice(bytes),
                None => return Err(invalid(at, "an integer of at most 8 bytes", len)),
            }
            Value::Integer(i64::from_le_bytes(le))
        }
        b'X' => {
            let len = u32::from_le_bytes(code.take()?);
            let text = code.slice(usize::try_from(len).unwrap_or(usize::MAX))?;
            Value::String(str::from_utf8(text).map_err(|_| invalid(at, "UTF-8", "other bytes"))?.into())
        }
        _ => {
            let expected = "an instruction that a dictionary of tensors takes";
            return Err(invalid(at, expected, quote(&char::from(opcode).to_string())));
        }
    })
}
