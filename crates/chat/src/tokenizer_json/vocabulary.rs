//! `vocab` and `merges`: read straight into place, since there are hundreds of thousands of each.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::damaged;
use crate::ChatError;
use crate::bpe::Merge;
use crate::error::quote;
use crate::tokens::MAX_TOKENS;
use crate::vocabulary::merge;

/// A token's text and its id. Texts are different, ids below [`MAX_TOKENS`].
pub(super) type Entry<'a> = (Cow<'a, str>, u32);

#[derive(Deserialize, PartialEq, Eq, Hash)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// Reads `{"!": 0, "\"": 1, …}`.
pub(super) fn read_vocab(raw: &RawValue) -> Result<Vec<Entry<'_>>, ChatError> {
    let Vocab(entries) = serde_json::from_str(raw.get()).map_err(damaged)?;
    Ok(entries)
}

struct Vocab<'a>(Vec<Entry<'a>>);

impl<'de> Deserialize<'de> for Vocab<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Vocab<'de>, D::Error> {
        deserializer.deserialize_map(VocabVisitor)
    }
}

struct VocabVisitor;

impl<'de> Visitor<'de> for VocabVisitor {
    type Value = Vocab<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("an object of tokens and their ids")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Vocab<'de>, A::Error> {
        let mut entries = Vec::new();
        while let Some((Text(text), id)) = map.next_entry::<Text, u32>()? {
            if id as usize >= MAX_TOKENS {
                let token = quote(&text);
                return Err(A::Error::custom(format!(
                    "the token {token} has the id {id}, expected one below {MAX_TOKENS}"
                )));
            }
            entries.push((text, id));
        }
        Ok(Vocab(entries))
    }
}

/// Reads `["Ġ t", …]` or `[["Ġ", "t"], …]`.
pub(super) fn read_merges(raw: &RawValue, entries: &[Entry]) -> Result<Vec<Merge>, ChatError> {
    let mut ids: HashMap<&str, u32> = HashMap::with_capacity(entries.len());
    for (text, id) in entries {
        if ids.insert(text, *id).is_some() {
            return Err(ChatError::vocabulary("vocab", "each token once", format!("{} twice", quote(text))));
        }
    }
    let mut deserializer = serde_json::Deserializer::from_str(raw.get());
    Merges { ids: &ids }.deserialize(&mut deserializer).map_err(damaged)
}

struct Merges<'a> {
    ids: &'a HashMap<&'a str, u32>,
}

impl<'de> DeserializeSeed<'de> for Merges<'_> {
    type Value = Vec<Merge>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vec<Merge>, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Merges<'_> {
    type Value = Vec<Merge>;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("a list of merges")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<Merge>, A::Error> {
        let mut merges = Vec::new();
        while let Some(Pair(left, right)) = list.next_element()? {
            merges.push(merge(self.ids, &left, &right).ok_or_else(|| {
                let (rank, left, right) = (merges.len(), quote(&left), quote(&right));
                A::Error::custom(format!(
                    "merge {rank} is of {left} and {right}, expected two tokens whose sum is a token"
                ))
            })?);
        }
        Ok(merges)
    }
}

/// A merge in either spelling.
struct Pair<'a>(Cow<'a, str>, Cow<'a, str>);

impl<'de> Deserialize<'de> for Pair<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Pair<'de>, D::Error> {
        deserializer.deserialize_any(PairVisitor)
    }
}

struct PairVisitor;

impl<'de> Visitor<'de> for PairVisitor {
    type Value = Pair<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("a merge: \"left right\" or [\"left\", \"right\"]")
    }

    fn visit_borrowed_str<E: serde::de::Error>(self, text: &'de str) -> Result<Pair<'de>, E> {
        match text.split_once(' ') {
            Some((left, right)) => Ok(Pair(left.into(), right.into())),
            None => Err(E::invalid_value(serde::de::Unexpected::Str(text), &self)),
        }
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Pair<'de>, E> {
        match text.split_once(' ') {
            Some((left, right)) => Ok(Pair(left.to_owned().into(), right.to_owned().into())),
            None => Err(E::invalid_value(serde::de::Unexpected::Str(text), &self)),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Pair<'de>, A::Error> {
        let pair = (list.next_element()?, list.next_element()?, list.next_element::<Text>()?);
        match pair {
            (Some(Text(left)), Some(Text(right)), None) => Ok(Pair(left, right)),
            _ => Err(A::Error::custom("a merge is of two tokens")),
        }
    }
}
