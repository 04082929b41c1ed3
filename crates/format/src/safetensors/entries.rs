//! The header's JSON, straight into entries: a tree would take some twenty times the bytes of a hostile header.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};

use crate::error::{FormatError, Part, cut, quote};

/// Each linear layer of a quantized model of hundreds of billions has five; all of it less than a tenth of this.
const MAX_TENSORS: usize = 65_536;

#[derive(Debug, Default)]
pub(super) struct Entries {
    pub(super) metadata: Vec<(String, String)>,
    /// In the file's order. Names are not checked yet.
    pub(super) tensors: Vec<(String, Entry)>,
}

/// What stands of a tensor. Fields that the format does not have are passed over.
#[derive(Debug, Deserialize)]
pub(super) struct Entry {
    pub(super) dtype: String,
    pub(super) shape: Vec<u64>,
    /// Begin and end, from the start of the data.
    pub(super) data_offsets: [u64; 2],
}

pub(super) fn parse(json: &[u8]) -> Result<Entries, FormatError> {
    serde_json::from_slice(json)
        .map_err(|error| FormatError::NotJson { part: Part::SafetensorsHeader, why: cut(&error.to_string()) })
}

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Entries, D::Error> {
        struct EntriesVisitor;

        impl<'de> Visitor<'de> for EntriesVisitor {
            type Value = Entries;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with an entry for each tensor")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Entries, A::Error> {
                let mut entries = Entries::default();
                let mut metadata = None;
                while let Some(name) = object.next_key::<String>()? {
                    if name != "__metadata__" {
                        entries.tensors.push((name, object.next_value()?));
                    } else if metadata.replace(object.next_value::<Strings>()?).is_some() {
                        return Err(A::Error::custom("__metadata__ stands twice"));
                    }
                    if entries.tensors.len() > MAX_TENSORS {
                        return Err(A::Error::custom(format_args!("it has more than {MAX_TENSORS} tensors")));
                    }
                }
                entries.metadata = metadata.map_or(Vec::new(), |Strings(strings)| strings);
                Ok(entries)
            }
        }

        deserializer.deserialize_map(EntriesVisitor)
    }
}

/// An object of nothing but strings.
struct Strings(Vec<(String, String)>);

impl<'de> Deserialize<'de> for Strings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Strings, D::Error> {
        struct StringsVisitor;

        impl<'de> Visitor<'de> for StringsVisitor {
            type Value = Strings;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of strings")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Strings, A::Error> {
                let mut strings: Vec<(String, String)> = Vec::new();
                while let Some((key, value)) = object.next_entry()? {
                    strings.push((key, value));
                }
                let mut keys: Vec<&str> = strings.iter().map(|(key, _)| key.as_str()).collect();
                keys.sort_unstable();
                match keys.array_windows().find(|[a, b]| a == b) {
                    Some([twice, _]) => {
                        Err(A::Error::custom(format_args!("the key {} stands twice", quote(twice))))
                    }
                    None => Ok(Strings(strings)),
                }
            }
        }

        deserializer.deserialize_map(StringsVisitor)
    }
}
