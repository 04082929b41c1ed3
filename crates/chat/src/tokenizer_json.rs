//! Hugging Face's `tokenizer.json`, for byte-level BPE.
//!
//! ```text
//! { "added_tokens": [{ "id": 128000, "content": "<|begin_of_text|>", "special": true, … }],
//!   "normalizer": null,
//!   "pre_tokenizer": { "type": "Sequence", "pretokenizers": [Split, Digits, …, ByteLevel] },
//!   "post_processor": …,  "decoder": { "type": "ByteLevel" },
//!   "model": { "type": "BPE", "ignore_merges": true, "vocab": { "!": 0, … }, "merges": ["Ġ t", …] } }
//! ```
//!
//! The file is somebody else's program: what it asks for and we do not run is refused by name, since leaving it out
//! would give wrong ids that look right. `truncation` and `padding` are about training, and mean nothing here.
//! Large parts are read straight into place, small ones only if they are small.

mod pre_tokenizer;
mod vocabulary;

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::ChatError;
use crate::bpe::{Bpe, WholeWords};
use crate::error::quote;
use crate::tokenizer::{Tokenizer, TokenizerParts};
use crate::tokens::{TokenKind, Tokens};
use crate::vocabulary::byte_ids;
use vocabulary::{Entry, read_merges, read_vocab};

const FILE: &str = "tokenizer.json";

/// Llama 3's has 9 to 17 MB, depending on how it writes merges.
const MAX_FILE_BYTES: usize = 64 * 1024 * 1024;

/// Of a part that is read as a tree: a pre-tokenizer has some hundred, a post-processor in rare cases some thousand.
const MAX_PART_BYTES: usize = 64 * 1024;

#[derive(Deserialize)]
struct File<'a> {
    #[serde(borrow, default)]
    added_tokens: Vec<AddedToken<'a>>,
    #[serde(borrow)]
    normalizer: Option<&'a RawValue>,
    #[serde(borrow)]
    pre_tokenizer: Option<&'a RawValue>,
    #[serde(borrow)]
    post_processor: Option<&'a RawValue>,
    #[serde(borrow)]
    decoder: Option<&'a RawValue>,
    #[serde(borrow)]
    model: &'a RawValue,
}

/// A token that is found in text before it is cut into words.
#[derive(Deserialize)]
struct AddedToken<'a> {
    id: u32,
    #[serde(borrow)]
    content: Cow<'a, str>,
    #[serde(default)]
    special: bool,
    #[serde(default)]
    single_word: bool,
    #[serde(default)]
    lstrip: bool,
    #[serde(default)]
    rstrip: bool,
}

#[derive(Deserialize)]
struct ModelType<'a> {
    #[serde(borrow, default, rename = "type")]
    name: Option<Cow<'a, str>>,
}

/// A field that is not here is one that we do not run.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BpeModel<'a> {
    #[serde(default, rename = "type")]
    _name: Option<serde::de::IgnoredAny>,
    #[serde(default)]
    dropout: Option<f64>,
    #[serde(borrow, default)]
    unk_token: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    continuing_subword_prefix: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    end_of_word_suffix: Option<Cow<'a, str>>,
    /// About neighbours that both are unknown: there are none.
    #[serde(default, rename = "fuse_unk")]
    _fuse_unk: Option<bool>,
    #[serde(default)]
    byte_fallback: Option<bool>,
    #[serde(default)]
    ignore_merges: Option<bool>,
    #[serde(borrow)]
    vocab: &'a RawValue,
    #[serde(borrow)]
    merges: &'a RawValue,
}

impl Tokenizer {
    /// Reads a `tokenizer.json`.
    ///
    /// Where it puts a token before plain text, that is `bos`; what ends an answer it does not say
    /// ([`Tokenizer::with_stop_ids`]). A byte that has no token is left out when text is encoded.
    ///
    /// # Errors
    /// If the file is damaged or contradicts itself, or asks for something that we do not run.
    pub fn from_tokenizer_json(file: &[u8]) -> Result<Tokenizer, ChatError> {
        if file.len() > MAX_FILE_BYTES {
            let detail = format!("it has {} bytes, and at most {MAX_FILE_BYTES} are read", file.len());
            return Err(ChatError::TokenizerFile { file: FILE, detail });
        }
        let file: File = serde_json::from_slice(file).map_err(damaged)?;
        check_normalizer(file.normalizer)?;
        check_decoder(file.decoder)?;
        let pre_tokenizer = pre_tokenizer::read(file.pre_tokenizer)?;
        let model = model(file.model)?;
        let entries = read_vocab(model.vocab)?;
        let merges = read_merges(model.merges, &entries)?;
        let tokens = table(&entries, &file.added_tokens)?;
        drop(entries);
        check_bytes(&tokens, &model)?;
        let whole_words = match model.ignore_merges {
            Some(true) => WholeWords::First,
            _ => WholeWords::ByMerging,
        };
        let bos = pre_tokenizer::bos_before_text(file.post_processor)?;
        let bos_token_id = bos.map(|name| control_id(&tokens, &name)).transpose()?;
        Ok(Tokenizer::new(TokenizerParts {
            bpe: Bpe::new(&tokens, merges, whole_words)?,
            tokens,
            pre_tokenizer,
            bos_token_id,
            eos_token_id: None,
            stop_ids: Vec::new(),
            add_bos_token: bos_token_id.is_some(),
        }))
    }
}

/// Reads the model, and refuses what it has besides merging.
fn model(raw: &RawValue) -> Result<BpeModel<'_>, ChatError> {
    let name = serde_json::from_str::<ModelType>(raw.get()).map_err(damaged)?.name;
    // Old files do not say.
    if let Some(name) = name.filter(|name| name != "BPE") {
        return Err(unsupported("model", quote(&name), "BPE"));
    }
    let model: BpeModel = serde_json::from_str(raw.get()).map_err(damaged)?;
    let is_set = |text: &Option<Cow<str>>| text.as_ref().is_some_and(|text| !text.is_empty());
    let refused = [
        (model.dropout.is_some_and(|dropout| dropout != 0.0), "dropout"),
        (is_set(&model.continuing_subword_prefix), "continuing_subword_prefix"),
        (is_set(&model.end_of_word_suffix), "end_of_word_suffix"),
        (model.byte_fallback == Some(true), "byte_fallback"),
    ];
    match refused.iter().find(|(is_asked_for, _)| *is_asked_for) {
        Some((_, what)) => Err(unsupported("model's", (*what).into(), "byte-level BPE without it")),
        None => Ok(model),
    }
}

/// The tokens by id: those that merging makes, and those that were added.
fn table(entries: &[Entry], added: &[AddedToken]) -> Result<Tokens, ChatError> {
    let largest = entries.iter().map(|(_, id)| *id).chain(added.iter().map(|token| token.id)).max();
    let size = largest.map_or(0, |id| id as usize + 1);
    // Some files leave holes; but what is allocated must be justified by what is there.
    let limit = 2 * (entries.len() + added.len());
    if size > limit {
        return Err(ChatError::vocabulary("ids", format!("less than {limit}"), size - 1));
    }
    let mut rows: Vec<Option<(&str, TokenKind)>> = vec![None; size];
    for (text, id) in entries {
        let row = &mut rows[*id as usize];
        if let Some((first, _)) = row {
            let found = format!("{} and {}", quote(first), quote(text));
            return Err(ChatError::vocabulary(format!("token {id}"), "one text", found));
        }
        *row = Some((text, TokenKind::Normal));
    }
    for token in added {
        add(&mut rows, token)?;
    }
    let mut tokens = Tokens::default();
    for row in rows {
        let (text, kind) = row.unwrap_or(("", TokenKind::Inert));
        crate::vocabulary::push(&mut tokens, text, kind);
    }
    Ok(tokens)
}

fn add<'a>(rows: &mut [Option<(&'a str, TokenKind)>], token: &'a AddedToken) -> Result<(), ChatError> {
    let AddedToken { id, content, .. } = token;
    let flags = [("single_word", token.single_word), ("lstrip", token.lstrip), ("rstrip", token.rstrip)];
    if let Some((flag, _)) = flags.iter().find(|(_, is_set)| *is_set) {
        let found = format!("{flag} of {}", quote(content));
        return Err(unsupported("flag", found, "added tokens without it"));
    }
    let row = &mut rows[*id as usize];
    match row {
        Some((text, TokenKind::Normal)) if text == content => {}
        None => {}
        Some((text, _)) => {
            let found = format!("{} and {}", quote(text), quote(content));
            return Err(ChatError::vocabulary(format!("token {id}"), "one text, once", found));
        }
    }
    let kind = if token.special { TokenKind::Control } else { TokenKind::UserDefined };
    *row = Some((content, kind));
    Ok(())
}

/// The unknown token stands for bytes that have none. To put it there would make ordinary text structure if it is a
/// control token, as in many files where no byte in use is missing.
fn check_bytes(tokens: &Tokens, model: &BpeModel) -> Result<(), ChatError> {
    let Some(unknown) = &model.unk_token else { return Ok(()) };
    let byte_ids = byte_ids(tokens);
    // No UTF-8 has the others.
    let in_use = (0x00..=0x7f).chain(0x80..=0xbf).chain(0xc2..=0xf4);
    let is_missing = in_use.into_iter().any(|byte: usize| byte_ids[byte].is_none());
    let is_control =
        tokens.ids().any(|id| tokens.kind(id) == TokenKind::Control && tokens.text(id) == unknown);
    if is_missing && !is_control {
        return Err(unsupported("unknown token", quote(unknown), "a token for each byte instead"));
    }
    Ok(())
}

fn control_id(tokens: &Tokens, name: &str) -> Result<u32, ChatError> {
    let is_it = |id: &u32| tokens.kind(*id) == TokenKind::Control && tokens.text(*id) == name;
    tokens
        .ids()
        .find(is_it)
        .ok_or_else(|| ChatError::vocabulary("post_processor", "the name of a special token", quote(name)))
}

/// Text is encoded as it is. An empty list of normalizers says so too.
fn check_normalizer(raw: Option<&RawValue>) -> Result<(), ChatError> {
    let Some(raw) = raw else { return Ok(()) };
    let part: Part = read_part("normalizer", raw)?;
    match (part.name.as_ref(), part.normalizers.as_deref()) {
        ("Sequence", Some([])) => Ok(()),
        (name, _) => Err(unsupported("normalizer", quote(name), "none")),
    }
}

fn check_decoder(raw: Option<&RawValue>) -> Result<(), ChatError> {
    const SUPPORTED: &str = "ByteLevel";
    let Some(raw) = raw else { return Err(unsupported("decoder", "null".into(), SUPPORTED)) };
    let part: Part = read_part("decoder", raw)?;
    if part.name == SUPPORTED { Ok(()) } else { Err(unsupported("decoder", quote(&part.name), SUPPORTED)) }
}

#[derive(Deserialize)]
struct Part<'a> {
    #[serde(borrow, rename = "type")]
    name: Cow<'a, str>,
    #[serde(default)]
    normalizers: Option<Vec<serde::de::IgnoredAny>>,
}

/// Reads a small part of the file.
fn read_part<'a, T: Deserialize<'a>>(what: &'static str, raw: &'a RawValue) -> Result<T, ChatError> {
    let bytes = raw.get().len();
    if bytes > MAX_PART_BYTES {
        let detail = format!("its {what} has {bytes} bytes, and at most {MAX_PART_BYTES} are read");
        return Err(ChatError::TokenizerFile { file: FILE, detail });
    }
    serde_json::from_str(raw.get())
        .map_err(|error| ChatError::TokenizerFile { file: FILE, detail: format!("its {what}: {error}") })
}

fn unsupported(what: &'static str, found: String, supported: &'static str) -> ChatError {
    ChatError::UnsupportedTokenizer { what, found, supported }
}

fn damaged(error: serde_json::Error) -> ChatError {
    ChatError::TokenizerFile { file: FILE, detail: error.to_string() }
}

#[cfg(test)]
mod tests;
