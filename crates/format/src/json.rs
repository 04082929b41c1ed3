//! JSON out of files that may be hostile, as a tree, and its fields by name with errors that name them.
//!
//! Stricter than JSON: no key may stand twice, since readers disagree about which one counts.
//! Size, depth (128, serde_json's own limit) and the number of values are bounded, so that the tree is at most
//! some 30 MB, whatever the file.

mod fields;

use std::cell::Cell;
use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

pub(crate) use fields::Fields;

use crate::error::{FormatError, Part, cut, quote};

/// The largest of these files, the list of tensors of a model of hundreds of billions, has less than a tenth of it.
const MAX_BYTES: usize = 16 << 20;
const MAX_VALUES: usize = 1 << 18;

/// A JSON value. Keys stand in the file's order, each once.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    /// A number without sign, fraction and exponent.
    Whole(u64),
    /// Any other number.
    Number(f64),
    String(String),
    Array(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl Json {
    /// Reads a whole file.
    pub(crate) fn parse(part: Part, bytes: &[u8]) -> Result<Json, FormatError> {
        let unreadable = |why: String| FormatError::NotJson { part, why };
        if bytes.len() > MAX_BYTES {
            return Err(unreadable(format!(
                "it has {} bytes, and at most {MAX_BYTES} are read",
                bytes.len()
            )));
        }
        // What hosts send in place of a file that they don't have, and what git keeps in place of a large one.
        if bytes.trim_ascii_start().starts_with(b"<") {
            return Err(unreadable("it is a web page, not JSON".into()));
        }
        if bytes.starts_with(b"version https://git-lfs") {
            return Err(unreadable("it is a pointer to the file in Git LFS, not the file itself".into()));
        }
        let values = Cell::new(0);
        let mut deserializer = serde_json::Deserializer::from_slice(bytes);
        let parsed = Tree { values: &values }.deserialize(&mut deserializer);
        let parsed = parsed.and_then(|json| deserializer.end().map(|()| json));
        parsed.map_err(|error| unreadable(cut(&error.to_string())))
    }
}

/// Strings cut, arrays and objects by what they are: as errors show them.
impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Json::Null => f.write_str("null"),
            Json::Bool(value) => write!(f, "{value}"),
            Json::Whole(value) => write!(f, "{value}"),
            Json::Number(value) => write!(f, "{value:?}"),
            Json::String(value) => f.write_str(&quote(value)),
            Json::Array(_) => f.write_str("an array"),
            Json::Object(_) => f.write_str("an object"),
        }
    }
}

/// Reads one value and what is in it.
#[derive(Clone, Copy)]
struct Tree<'a> {
    /// How many there have been.
    values: &'a Cell<usize>,
}

impl<'de> DeserializeSeed<'de> for Tree<'_> {
    type Value = Json;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json, D::Error> {
        self.values.set(self.values.get() + 1);
        if self.values.get() > MAX_VALUES {
            return Err(D::Error::custom(format_args!("it has more than {MAX_VALUES} values")));
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Tree<'_> {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Whole(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Number(value as f64))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
        Ok(Json::Number(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::String(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Json, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = array.next_element_seed(self)? {
            values.push(value);
        }
        Ok(Json::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Json, A::Error> {
        let mut entries: Vec<(String, Json)> = Vec::new();
        while let Some(key) = object.next_key()? {
            entries.push((key, object.next_value_seed(self)?));
        }
        let mut keys = HashSet::with_capacity(entries.len());
        match entries.iter().find(|(key, _)| !keys.insert(key.as_str())) {
            Some((key, _)) => Err(A::Error::custom(format_args!("the key {} stands twice", quote(key)))),
            None => Ok(Json::Object(entries)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_value() {
        let text =
            r#" {"a": [null, true, 7, -7, 7.0, 1e3, 18446744073709551616], "\u00e9\ud83d\ude00": "b\n"} "#;
        let array = vec![
            Json::Null,
            Json::Bool(true),
            Json::Whole(7),
            Json::Number(-7.0),
            Json::Number(7.0),
            Json::Number(1e3),
            Json::Number(18_446_744_073_709_551_616.0),
        ];
        let expected =
            Json::Object(vec![("a".into(), Json::Array(array)), ("é😀".into(), Json::String("b\n".into()))]);
        assert_eq!(Json::parse(Part::ConfigJson, text.as_bytes()), Ok(expected));
    }

    #[test]
    fn what_is_not_read() {
        let deep = "[".repeat(100_000);
        let many = format!("[{}0]", "0,".repeat(MAX_VALUES));
        let long = format!("\"{}\"", "x".repeat(MAX_BYTES));
        let hostile = format!("{{\"{0}\": 1, \"{0}\": 2}}", "\\u202e".repeat(1000));
        let rows: [(&str, &str); 13] = [
            ("", "EOF while parsing a value at line 1 column 0."),
            ("{\"a\": 1", "EOF while parsing an object at line 1 column 7."),
            ("{\"a\": 1} x", "trailing characters at line 1 column 10."),
            ("{\"a\": NaN}", "expected value at line 1 column 7."),
            ("{'a': 1}", "key must be a string at line 1 column 2."),
            ("{\"a\": 1e999}", "number out of range at line 1 column 11."),
            ("{\"a\": {\"b\": 1, \"b\": 1}}", "the key \"b\" stands twice at line 1 column 22."),
            ("\n<!DOCTYPE html>", "it is a web page, not JSON."),
            ("version https://git-lfs.github.com/spec/v1", "it is a pointer to the file in Git LFS"),
            (&deep, "recursion limit exceeded at line 1 column 128."),
            (&many, "it has more than 262144 values at line"),
            (&long, "it has 16777218 bytes, and at most 16777216 are read."),
            (&hostile, "the key \"\\u{202e}\\u{202e}"),
        ];
        for (text, expected) in rows {
            let error = Json::parse(Part::ConfigJson, text.as_bytes()).unwrap_err().to_string();
            let expected = format!("config.json can't be read: {expected}");
            assert!(error.starts_with(&expected), "\n     got: {error}\nexpected: {expected}");
            assert!(error.len() < 1000, "{} bytes", error.len());
        }
        let error = Json::parse(Part::ConfigJson, b"\"\xff\"").unwrap_err().to_string();
        assert!(error.contains("invalid unicode code point"), "{error}");
    }
}
