//! The fields of a JSON object, looked up with the type that the reader of the field expects.

use super::Json;
use crate::error::{FormatError, Part};

/// An object of a file. What is `null` counts as absent, as Python's `None` is written.
#[derive(Debug, Clone)]
pub(crate) struct Fields<'a> {
    part: Part,
    /// The names of the objects that this one lies in, each with a dot behind it.
    path: String,
    entries: &'a [(String, Json)],
}

impl<'a> Fields<'a> {
    /// The fields of the object that the whole file is.
    pub(crate) fn of(part: Part, json: &'a Json) -> Result<Fields<'a>, FormatError> {
        match json {
            Json::Object(entries) => Ok(Fields { part, path: String::new(), entries }),
            other => Err(part.invalid("the file", "an object", other)),
        }
    }

    /// The fields of a value, which `name` tells where to find.
    pub(crate) fn within(&self, name: String, json: &'a Json) -> Result<Fields<'a>, FormatError> {
        match json {
            Json::Object(entries) => Ok(Fields { part: self.part, path: name + ".", entries }),
            other => Err(self.part.invalid(name, "an object", other)),
        }
    }

    pub(crate) fn get(&self, key: &str) -> Option<&'a Json> {
        let found = self.entries.iter().find(|(name, _)| name == key);
        found.map(|(_, value)| value).filter(|value| **value != Json::Null)
    }

    pub(crate) fn entries(&self) -> &'a [(String, Json)] {
        self.entries
    }

    /// Whole numbers past 32 bits are refused here, before wasm32's `usize` could cut them.
    pub(crate) fn size(&self, key: &str) -> Result<Option<usize>, FormatError> {
        let Some(found) = self.whole(key)? else { return Ok(None) };
        let size = u32::try_from(found).map_err(|_| self.invalid(key, "less than 2^32", found))?;
        Ok(Some(size as usize))
    }

    pub(crate) fn required_size(&self, key: &str) -> Result<usize, FormatError> {
        self.size(key)?.ok_or_else(|| self.missing(key))
    }

    pub(crate) fn whole(&self, key: &str) -> Result<Option<u64>, FormatError> {
        self.typed(key, "a whole number", |value| match value {
            Json::Whole(value) => Some(*value),
            _ => None,
        })
    }

    pub(crate) fn number(&self, key: &str) -> Result<Option<f64>, FormatError> {
        self.typed(key, "a number", |value| match value {
            Json::Whole(value) => Some(*value as f64),
            Json::Number(value) => Some(*value),
            _ => None,
        })
    }

    pub(crate) fn required_number(&self, key: &str) -> Result<f64, FormatError> {
        self.number(key)?.ok_or_else(|| self.missing(key))
    }

    pub(crate) fn boolean(&self, key: &str) -> Result<Option<bool>, FormatError> {
        self.typed(key, "true or false", |value| match value {
            Json::Bool(value) => Some(*value),
            _ => None,
        })
    }

    pub(crate) fn string(&self, key: &str) -> Result<Option<&'a str>, FormatError> {
        self.typed(key, "a string", |value| match value {
            Json::String(value) => Some(value.as_str()),
            _ => None,
        })
    }

    pub(crate) fn required_string(&self, key: &str) -> Result<&'a str, FormatError> {
        self.string(key)?.ok_or_else(|| self.missing(key))
    }

    pub(crate) fn array(&self, key: &str) -> Result<Option<&'a [Json]>, FormatError> {
        self.typed(key, "an array", |value| match value {
            Json::Array(values) => Some(values.as_slice()),
            _ => None,
        })
    }

    pub(crate) fn object(&self, key: &str) -> Result<Option<Fields<'a>>, FormatError> {
        self.get(key).map(|value| self.within(self.name(key), value)).transpose()
    }

    /// A field's name with those of the objects around it.
    pub(crate) fn name(&self, key: &str) -> String {
        format!("{}{key}", self.path)
    }

    pub(crate) fn missing(&self, key: &str) -> FormatError {
        self.part.missing(self.name(key))
    }

    pub(crate) fn invalid(
        &self,
        key: &str,
        expected: impl std::fmt::Display,
        found: impl std::fmt::Display,
    ) -> FormatError {
        self.part.invalid(self.name(key), expected, found)
    }

    fn typed<T>(
        &self,
        key: &str,
        expected: &str,
        convert: impl FnOnce(&'a Json) -> Option<T>,
    ) -> Result<Option<T>, FormatError> {
        let Some(value) = self.get(key) else { return Ok(None) };
        convert(value).map(Some).ok_or_else(|| self.invalid(key, expected, value))
    }
}
