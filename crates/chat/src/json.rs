//! JSON as Python reads it: keys in order, integers of any size, and 1.0 is not 1.
//!
//! `serde_json::Value` makes a float of an integer beyond 64 bits, which would change a prompt without a word.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use minijinja::Value;
use minijinja::value::{Enumerator, Object, ObjectRepr};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::ChatError;

/// Lists in lists. WASM has a stack of 1 MiB.
const MAX_DEPTH: usize = 64;

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    Integer(i128),
    /// The digits of an integer beyond 128 bits.
    BigInteger(String),
    Float(f64),
    String(String),
    List(Vec<Json>),
    Map(Vec<(String, Json)>),
}

impl Json {
    /// Reads JSON. `what` is what it is meant to be, for the error.
    pub(crate) fn parse(what: &str, text: &str) -> Result<Json, ChatError> {
        serde_json::from_str(text)
            .map_err(|error| error.to_string())
            .and_then(|raw| read(raw, 0))
            .map_err(|detail| ChatError::Json { what: what.to_owned(), detail })
    }

    /// Hands on all strings that it has, keys too.
    pub(crate) fn each_string<'a>(&'a self, each: &mut dyn FnMut(&'a str)) {
        match self {
            Json::String(text) => each(text),
            Json::List(items) => items.iter().for_each(|item| item.each_string(each)),
            Json::Map(pairs) => pairs.iter().for_each(|(key, value)| {
                each(key);
                value.each_string(each);
            }),
            _ => {}
        }
    }

    /// The value for a template, its strings changed by `change`.
    pub(crate) fn to_value(&self, change: &dyn Fn(&str) -> String) -> Value {
        match self {
            Json::Null => Value::from(()),
            Json::Bool(value) => Value::from(*value),
            Json::Integer(value) => Value::from(*value),
            Json::BigInteger(digits) => Value::from_object(BigInteger(digits.clone())),
            Json::Float(value) => Value::from(*value),
            Json::String(text) => Value::from(change(text)),
            Json::List(items) => items.iter().map(|item| item.to_value(change)).collect(),
            Json::Map(pairs) => {
                Value::from_pairs(pairs.iter().map(|(key, value)| (change(key), value.to_value(change))))
            }
        }
    }
}

fn read(raw: &RawValue, depth: usize) -> Result<Json, String> {
    let text = raw.get();
    if depth > MAX_DEPTH {
        return Err(format!("it has more than {MAX_DEPTH} levels"));
    }
    let says = |error: serde_json::Error| error.to_string();
    Ok(match text.as_bytes() {
        [b'{', ..] => {
            let mut map: Vec<(String, Json)> = Vec::new();
            for (key, value) in serde_json::from_str::<Pairs>(text).map_err(says)?.0 {
                map.push((key, read(value, depth + 1)?));
            }
            Json::Map(without_repeated_keys(map))
        }
        [b'[', ..] => {
            let items: Vec<&RawValue> = serde_json::from_str(text).map_err(says)?;
            Json::List(items.into_iter().map(|item| read(item, depth + 1)).collect::<Result<_, _>>()?)
        }
        [b'"', ..] => Json::String(serde_json::from_str(text).map_err(says)?),
        [b't', ..] => Json::Bool(true),
        [b'f', ..] => Json::Bool(false),
        [b'n', ..] => Json::Null,
        _ => number(text)?,
    })
}

fn number(text: &str) -> Result<Json, String> {
    if text.contains(['.', 'e', 'E']) {
        return text.parse().map(Json::Float).map_err(|_| format!("{text} is no number"));
    }
    Ok(text.parse().map_or_else(|_| Json::BigInteger(text.to_owned()), Json::Integer))
}

/// A key that comes again keeps its first place and takes the last value, as in Python.
fn without_repeated_keys(pairs: Vec<(String, Json)>) -> Vec<(String, Json)> {
    let mut places: HashMap<String, usize> = HashMap::with_capacity(pairs.len());
    let mut map: Vec<(String, Json)> = Vec::with_capacity(pairs.len());
    for (key, value) in pairs {
        match places.get(&key) {
            Some(place) => map[*place].1 = value,
            None => {
                places.insert(key.clone(), map.len());
                map.push((key, value));
            }
        }
    }
    map
}

/// The members of an object, in order.
pub(crate) struct Pairs<'a>(pub(crate) Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Pairs<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Pairs<'de>, D::Error> {
        deserializer.deserialize_map(PairsVisitor)
    }
}

struct PairsVisitor;

impl<'de> Visitor<'de> for PairsVisitor {
    type Value = Pairs<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs<'de>, A::Error> {
        let mut pairs = Vec::new();
        while let Some((key, value)) = map.next_entry::<Cow<str>, &RawValue>()? {
            pairs.push((key.into_owned(), value));
        }
        Ok(Pairs(pairs))
    }
}

/// An integer that is only shown.
#[derive(Debug)]
pub(crate) struct BigInteger(pub(crate) String);

impl Object for BigInteger {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::NonEnumerable
    }

    fn render(self: &Arc<Self>, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}
