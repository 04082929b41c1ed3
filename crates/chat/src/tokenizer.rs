//! Byte-level BPE: text to ids and back.
//!
//! Text is cut at special tokens, the rest into words, each word into bytes, and pairs of bytes merge into tokens,
//! the best pair first. Control tokens are outside the merging model altogether: no text can merge into one, and
//! only [`Tokenizer::encode_with_special`] and templates look for them.

use std::sync::Arc;

use tokenizers::models::bpe::BPE;
use tokenizers::{Model as _, OffsetType};

use crate::pre_tokenizer::PreTokenizer;
use crate::special::{Look, SpecialTokens};
use crate::vocabulary::TokenKind;
use crate::{ChatError, TextStream, Vocabulary, byte_level};

/// The longest text that is encoded: several times what fits a context of 131,072 tokens.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// Longer text is cut into words part by part: the crate below takes over a hundred times a part's memory.
const PART_BYTES: usize = 32 * 1024;

/// Characters of white space, or of anything else, without a break, before one is made. Meta's reference does so too:
/// the time to cut such a run grows with its square, and a limit inside the regex engine would end the cutting.
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
#[derive(Debug, Clone)]
pub struct Tokenizer(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    bpe: BPE,
    pre_tokenizer: PreTokenizer,
    special: SpecialTokens,
    /// The bytes of all tokens, one behind the other.
    bytes: Vec<u8>,
    /// Where each token's bytes end, by id.
    ends: Vec<u32>,
    is_control: Vec<bool>,
    stop_ids: Vec<u32>,
    bos_token_id: Option<u32>,
    eos_token_id: Option<u32>,
    add_bos_token: bool,
}

impl Tokenizer {
    /// Takes a vocabulary. Fails if it contradicts itself or if its pre-tokenizer is not known.
    ///
    /// A byte that has no token is left out when text is encoded, as in Hugging Face's implementation.
    pub fn from_vocabulary(vocabulary: Vocabulary) -> Result<Tokenizer, ChatError> {
        vocabulary.check()?;
        let pre_tokenizer = PreTokenizer::by_name(&vocabulary.pre)?;
        let bpe = vocabulary.bpe(pre_tokenizer.ignore_merges)?;
        let (mut bytes, mut ends) = (Vec::new(), Vec::with_capacity(vocabulary.tokens.len()));
        for (id, token) in vocabulary.tokens.iter().enumerate() {
            match vocabulary.kind(id) {
                TokenKind::Normal => match byte_level::bytes(token) {
                    Some(decoded) => bytes.extend(decoded),
                    None => bytes.extend(token.as_bytes()),
                },
                TokenKind::Control | TokenKind::UserDefined => bytes.extend(token.as_bytes()),
            }
            ends.push(bytes.len() as u32);
        }
        let is_control = (0..ends.len()).map(|id| vocabulary.kind(id) == TokenKind::Control).collect();
        Ok(Tokenizer(Arc::new(Inner {
            bpe,
            pre_tokenizer,
            special: SpecialTokens::new(&vocabulary),
            bytes,
            ends,
            is_control,
            stop_ids: stop_ids(&vocabulary),
            bos_token_id: vocabulary.bos_token_id,
            eos_token_id: vocabulary.eos_token_id,
            add_bos_token: vocabulary.add_bos_token,
        })))
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
        self.0.is_control.get(id as usize).copied().unwrap_or(false)
    }

    /// The ids that end an answer.
    pub fn stop_ids(&self) -> &[u32] {
        &self.0.stop_ids
    }

    /// The number of tokens; ids are below it.
    pub fn vocab_size(&self) -> usize {
        self.0.ends.len()
    }

    /// The id to put before plain text, if the model wants one. A rendered chat has it already.
    pub fn bos_before_text(&self) -> Option<u32> {
        self.0.bos_token_id.filter(|_| self.0.add_bos_token)
    }

    /// What templates know as `bos_token`; empty if there is none.
    pub(crate) fn bos_token(&self) -> String {
        self.0.bos_token_id.map_or_else(String::new, |id| self.decode(&[id]))
    }

    /// What templates know as `eos_token`; empty if there is none.
    pub(crate) fn eos_token(&self) -> String {
        self.0.eos_token_id.map_or_else(String::new, |id| self.decode(&[id]))
    }

    pub(crate) fn special(&self) -> &SpecialTokens {
        &self.0.special
    }

    pub(crate) fn bytes(&self, id: u32) -> &[u8] {
        let ends = &self.0.ends;
        let start = (id as usize).checked_sub(1).and_then(|before| ends.get(before)).copied().unwrap_or(0);
        match ends.get(id as usize) {
            Some(end) => &self.0.bytes[start as usize..*end as usize],
            None => &[],
        }
    }

    fn encode_looking_for(&self, look: Look, text: &str) -> Result<Vec<u32>, ChatError> {
        check_length(text)?;
        let (mut ids, mut at) = (Vec::new(), 0);
        while let Some((range, id)) = self.0.special.find(text, at, look) {
            self.encode_words(&text[at..range.start], &mut ids)?;
            ids.push(id);
            at = range.end;
        }
        self.encode_words(&text[at..], &mut ids)?;
        Ok(ids)
    }

    fn encode_words(&self, text: &str, ids: &mut Vec<u32>) -> Result<(), ChatError> {
        for text in parts(text, PART_BYTES) {
            let mut words = self.0.pre_tokenizer.cut(text)?;
            let merge = |word: &tokenizers::NormalizedString| self.0.bpe.tokenize(word.get());
            words.tokenize(merge).map_err(ChatError::tokenizer)?;
            let encoding = words.into_encoding(None, 0, OffsetType::None).map_err(ChatError::tokenizer)?;
            ids.extend(encoding.get_ids());
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

/// The text in parts of `part_bytes` and little more that give the same ids as the whole, unless it has runs longer than [`MAX_RUN`].
///
/// A part ends before a space that follows anything but white space, or before a line feed that follows a letter or
/// digit of ASCII: there every pre-tokenizer ends a word, and none of them looks back.
fn parts(text: &str, part_bytes: usize) -> Vec<&str> {
    let (mut parts, mut start, mut run, mut before) = (Vec::new(), 0, 0, '\0');
    for (at, character) in text.char_indices() {
        run = if character.is_whitespace() == before.is_whitespace() { run + 1 } else { 1 };
        let between_words = match character {
            ' ' => !before.is_whitespace(),
            '\n' => before.is_ascii_alphanumeric(),
            _ => false,
        };
        if run > MAX_RUN || (between_words && at - start >= part_bytes) {
            parts.push(&text[start..at]);
            (start, run) = (at, 1);
        }
        before = character;
    }
    parts.push(&text[start..]);
    parts
}

fn stop_ids(vocabulary: &Vocabulary) -> Vec<u32> {
    let named = [vocabulary.eos_token_id, vocabulary.eot_token_id, vocabulary.eom_token_id];
    let known = (0..).zip(&vocabulary.tokens).filter(|(id, token)| {
        vocabulary.kind(*id as usize) == TokenKind::Control && STOPS.contains(&token.as_str())
    });
    let mut ids: Vec<u32> = named.into_iter().flatten().chain(known.map(|(id, _)| id)).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

#[cfg(test)]
pub(crate) mod tests;
