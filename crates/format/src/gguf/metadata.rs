//! GGUF's key/value pairs, looked up by key with the type that the reader of the key expects.

use std::collections::HashSet;

use super::value::{Array, Value};
use crate::error::{FormatError, Part, quote, quote_odd};
use crate::reader::Reader;

const MAX_KEY_BYTES: u64 = 64 << 10;

/// The key/value pairs of a file, in its order. No key stands twice.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Metadata {
    entries: Vec<(String, Value)>,
}

impl Metadata {
    /// The pairs in the file's order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Value)> {
        self.entries.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.iter().find_map(|(at, value)| (at == key).then_some(value))
    }

    /// A whole number, stored in any integer type.
    pub(crate) fn integer(&self, key: &str) -> Result<Option<u64>, FormatError> {
        self.typed(key, "a whole number", Value::as_u64)
    }

    /// A number that need not be whole.
    pub(crate) fn float(&self, key: &str) -> Result<Option<f64>, FormatError> {
        self.typed(key, "a floating-point number", |value| match value {
            Value::F32(value) => Some(f64::from(*value)),
            Value::F64(value) => Some(*value),
            _ => None,
        })
    }

    pub(crate) fn boolean(&self, key: &str) -> Result<Option<bool>, FormatError> {
        self.typed(key, "true or false", |value| match value {
            Value::Bool(value) => Some(*value),
            _ => None,
        })
    }

    pub(crate) fn string(&self, key: &str) -> Result<Option<&str>, FormatError> {
        self.typed(key, "a string", |value| match value {
            Value::String(value) => Some(value.as_str()),
            _ => None,
        })
    }

    /// Moves an array out, and leaves the key gone.
    pub(crate) fn take_array(&mut self, key: &str) -> Result<Option<Array>, FormatError> {
        self.typed(key, "an array", |value| matches!(value, Value::Array(_)).then_some(()))?;
        let at = self.entries.iter().position(|(at, _)| at == key);
        Ok(at.and_then(|at| match self.entries.swap_remove(at).1 {
            Value::Array(array) => Some(array),
            _ => None,
        }))
    }

    fn typed<'a, T>(
        &'a self,
        key: &str,
        expected: &str,
        convert: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, FormatError> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let converted = convert(value);
        converted.map(Some).ok_or_else(|| Part::Metadata.invalid(key, expected, value))
    }

    pub(super) fn read(reader: &mut Reader, n_kv: u64) -> Result<Metadata, FormatError> {
        let (mut entries, mut keys) = (Vec::new(), HashSet::new());
        for i in 0..n_kv {
            let key = read_key(reader, &format!("key {i}"))?;
            if !keys.insert(key) {
                return Err(Part::Metadata.invalid(
                    format!("key {i}"),
                    "a new key",
                    format_args!("{} again", quote(key)),
                ));
            }
            let value = Value::read(reader, &quote_odd(key))?;
            entries.push((key.to_owned(), value));
        }
        Ok(Metadata { entries })
    }
}

fn read_key<'a>(reader: &mut Reader<'a>, field: &str) -> Result<&'a str, FormatError> {
    let key = reader.string(MAX_KEY_BYTES, Part::Metadata, field)?;
    if key.is_empty() {
        return Err(Part::Metadata.invalid(field, "a key", "an empty string"));
    }
    Ok(key)
}
