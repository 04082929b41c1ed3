//! Byte-level BPE: text to ids and back.
//!
//! Text is cut at special tokens, the rest into words, each word into bytes, and pairs of bytes merge into tokens,
//! the best pair first. Control tokens are outside the merging model altogether: no text can merge into one, and
//! only [`Tokenizer::encode_with_special`] and templates look for them.

use std::sync::Arc;

use crate::bpe::Bpe;
use crate::pre_tokenizer::PreTokenizer;
use crate::special::{Look, SpecialTokens};
use crate::tokens::{TokenKind, Tokens};
use crate::{ChatError, TextStream};

/// The longest text that is encoded: several times what fits a context of 131,072 tokens.
pub(crate) const MAX_BYTES: usize = 4 * 1024 * 1024;

/// Characters of white space, or of anything else, without a break, before one is made. Meta's reference does so too;
/// here it bounds the memory that one word takes while it merges.
const MAX_RUN: usize = 25_000;

/// Control tokens that end an answer in one model or another. A file names only one or two of its own.
const STOPS: [&str; 10] = [
    "<|im_end|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<|end_of_text|>",
    "<|endoftext|>",
    "<|end|>",
    "<|return|>",
    "<|end_of_turn|>",
    "<end_of_turn>",
    "</s>",
];

/// A model's tokenizer. Cheap to clone.
///
/// It is made from what a GGUF file carries ([`Tokenizer::from_vocabulary`]), from Hugging Face's `tokenizer.json`
/// ([`Tokenizer::from_tokenizer_json`]) or from Meta's `tokenizer.model` ([`Tokenizer::from_tiktoken`]).
#[derive(Debug, Clone)]
pub struct Tokenizer {
    model: Arc<Model>,
    bos_token_id: Option<u32>,
    eos_token_id: Option<u32>,
    add_bos_token: bool,
    /// In order, each once.
    stop_ids: Vec<u32>,
}

/// What all clones share.
#[derive(Debug)]
struct Model {
    tokens: Tokens,
    bpe: Bpe,
    pre_tokenizer: PreTokenizer,
    special: SpecialTokens,
}

/// What a tokenizer is made of. Ids are below the number of tokens.
pub(crate) struct TokenizerParts {
    pub(crate) tokens: Tokens,
    pub(crate) bpe: Bpe,
    pub(crate) pre_tokenizer: PreTokenizer,
    pub(crate) bos_token_id: Option<u32>,
    pub(crate) eos_token_id: Option<u32>,
    /// Besides `eos_token_id` and those that are known by name.
    pub(crate) stop_ids: Vec<u32>,
    pub(crate) add_bos_token: bool,
}

impl Tokenizer {
    pub(crate) fn new(parts: TokenizerParts) -> Tokenizer {
        let special = SpecialTokens::new(&parts.tokens);
        let known = STOPS.iter().filter_map(|name| special.control_id(name));
        let stop_ids = in_order(parts.stop_ids.into_iter().chain(parts.eos_token_id).chain(known).collect());
        let (tokens, bpe, pre_tokenizer) = (parts.tokens, parts.bpe, parts.pre_tokenizer);
        Tokenizer {
            model: Arc::new(Model { tokens, bpe, pre_tokenizer, special }),
            bos_token_id: parts.bos_token_id,
            eos_token_id: parts.eos_token_id,
            add_bos_token: parts.add_bos_token,
            stop_ids,
        }
    }

    /// Lets further ids end an answer: those of `eos_token_id` in `generation_config.json`, say.
    ///
    /// Fails if an id is beyond the vocabulary.
    pub fn with_stop_ids(mut self, ids: &[u32]) -> Result<Tokenizer, ChatError> {
        ids.iter().try_for_each(|id| self.check_id("eos_token_id", *id))?;
        self.stop_ids.extend(ids);
        self.stop_ids = in_order(self.stop_ids);
        Ok(self)
    }

    /// Sets what templates know as `bos_token`: `bos_token_id` in `config.json`, say.
    ///
    /// Fails if the id is beyond the vocabulary.
    pub fn with_bos_token_id(mut self, id: u32) -> Result<Tokenizer, ChatError> {
        self.check_id("bos_token_id", id)?;
        self.bos_token_id = Some(id);
        Ok(self)
    }

    /// Sets what templates know as `eos_token`, which also ends an answer.
    ///
    /// Fails if the id is beyond the vocabulary.
    pub fn with_eos_token_id(mut self, id: u32) -> Result<Tokenizer, ChatError> {
        self = self.with_stop_ids(&[id])?;
        self.eos_token_id = Some(id);
        Ok(self)
    }

    /// Sets whether plain text begins with `bos`, if there is one.
    pub(crate) fn with_add_bos_token(self, add_bos_token: bool) -> Tokenizer {
        Tokenizer { add_bos_token, ..self }
    }

    fn check_id(&self, field: &str, id: u32) -> Result<(), ChatError> {
        let size = self.vocab_size();
        if (id as usize) < size {
            return Ok(());
        }
        Err(ChatError::vocabulary(field, format!("less than {size}"), id))
    }

    /// The ids of ordinary text: a control token that is spelled out in it stays text.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, ChatError> {
        self.encode_looking_for(Look::UserDefined, text)
    }

    /// The ids of text whose control tokens are meant. No `bos` is put before it.
    pub fn encode_with_special(&self, text: &str) -> Result<Vec<u32>, ChatError> {
        self.encode_looking_for(Look::Both, text)
    }

    /// The text of ids, control tokens shown. Bytes that are no UTF-8 become U+FFFD; unknown ids are left out.
    pub fn decode(&self, ids: &[u32]) -> String {
        let bytes: Vec<u8> = ids.iter().flat_map(|id| self.bytes(*id)).copied().collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Turns the ids of an answer into text as they come.
    pub fn stream(&self) -> TextStream<'_> {
        TextStream::new(self)
    }

    /// Whether an id is a control token, which is never shown.
    pub fn is_control(&self, id: u32) -> bool {
        self.model.tokens.kind(id) == TokenKind::Control
    }

    /// The ids that end an answer.
    pub fn stop_ids(&self) -> &[u32] {
        &self.stop_ids
    }

    /// The id of a control token by its text, as in `<|python_tag|>`; `None` if the vocabulary has no such token.
    pub fn control_id(&self, text: &str) -> Option<u32> {
        self.model.special.control_id(text)
    }

    /// The number of tokens; ids are below it.
    pub fn vocab_size(&self) -> usize {
        self.model.tokens.len()
    }

    /// The id to put before plain text, if the model wants one. A rendered chat has it already.
    pub fn bos_before_text(&self) -> Option<u32> {
        self.bos_token_id.filter(|_| self.add_bos_token)
    }

    /// What templates know as `bos_token`; empty if there is none.
    pub(crate) fn bos_token(&self) -> String {
        self.bos_token_id.map_or_else(String::new, |id| self.decode(&[id]))
    }

    /// What templates know as `eos_token`; empty if there is none.
    pub(crate) fn eos_token(&self) -> String {
        self.eos_token_id.map_or_else(String::new, |id| self.decode(&[id]))
    }

    pub(crate) fn special(&self) -> &SpecialTokens {
        &self.model.special
    }

    pub(crate) fn bytes(&self, id: u32) -> &[u8] {
        self.model.tokens.bytes(id)
    }

    /// The first id that stands for other bytes in `other`, or that only one of them has; none if their tokens are the same.
    pub fn first_difference(&self, other: &Tokenizer) -> Option<u32> {
        let most = self.vocab_size().max(other.vocab_size()) as u32;
        (0..most).find(|id| self.bytes(*id) != other.bytes(*id))
    }

    fn encode_looking_for(&self, look: Look, text: &str) -> Result<Vec<u32>, ChatError> {
        check_length(text)?;
        let (mut ids, mut at) = (Vec::new(), 0);
        while let Some((range, id)) = self.model.special.find(text, at, look) {
            self.encode_words(&text[at..range.start], &mut ids)?;
            ids.push(id);
            at = range.end;
        }
        self.encode_words(&text[at..], &mut ids)?;
        Ok(ids)
    }

    fn encode_words(&self, text: &str, ids: &mut Vec<u32>) -> Result<(), ChatError> {
        let Model { bpe, pre_tokenizer, .. } = &*self.model;
        for text in runs(text) {
            pre_tokenizer.split(text, &mut |word| bpe.encode(word, ids))?;
        }
        Ok(())
    }
}

/// Fails if `text` is longer than what is encoded.
pub(crate) fn check_length(text: &str) -> Result<(), ChatError> {
    match text.len() {
        bytes if bytes > MAX_BYTES => Err(ChatError::TooLong { bytes, limit: MAX_BYTES }),
        _ => Ok(()),
    }
}

/// The text, cut where a run of more than [`MAX_RUN`] characters goes on.
fn runs(text: &str) -> Vec<&str> {
    let (mut runs, mut start, mut run, mut before) = (Vec::new(), 0, 0, '\0');
    for (at, character) in text.char_indices() {
        run = if character.is_whitespace() == before.is_whitespace() { run + 1 } else { 1 };
        if run > MAX_RUN {
            runs.push(&text[start..at]);
            (start, run) = (at, 1);
        }
        before = character;
    }
    runs.push(&text[start..]);
    runs
}

fn in_order(mut ids: Vec<u32>) -> Vec<u32> {
    ids.sort_unstable();
    ids.dedup();
    ids
}

#[cfg(test)]
pub(crate) mod tests;
