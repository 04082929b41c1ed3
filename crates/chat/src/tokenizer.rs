//! Text to ids and back, with the byte-level BPE vocabulary that a GGUF file carries.
//!
//! Words are merged by the `tokenizers` library; control tokens are found here, and only where that is asked for.
//! A byte for which the vocabulary has no token is dropped, as in Hugging Face's tokenizer: some vocabularies
//! lack a few control characters.

use std::sync::Arc;

use tokenizers::Model;
use tokenizers::models::bpe::{BPE, Merges, Vocab};

use crate::control::{ControlTokens, Segment};
use crate::error::quote;
use crate::pre_tokenizer::PreTokenizer;
use crate::token_table::{Kind, TokenTable, ends_a_turn};
use crate::{ChatError, TextStream, byte_level};

/// A vocabulary as the model file has it. Tokens are in GPT-2's alphabet, where `Ġ` is a space.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vocabulary {
    /// Which pre-tokenizer splits text before merging, by llama.cpp's name, as in `llama-bpe`.
    pub pre: String,
    /// The tokens, by id.
    pub tokens: Vec<String>,
    /// What each is, by id: 1 normal, 2 unknown, 3 control, 4 user defined, 5 unused, 6 byte.
    pub token_types: Vec<u32>,
    /// Pairs that merge, best first, as `left right`.
    pub merges: Vec<String>,
    /// Begin of text.
    pub bos_token_id: Option<u32>,
    /// Where generation ends.
    pub eos_token_id: Option<u32>,
    /// End of turn.
    pub eot_token_id: Option<u32>,
    /// End of message: more follows after a tool has answered.
    pub eom_token_id: Option<u32>,
    /// Whether plain text, as against a rendered chat, begins with `bos`.
    pub add_bos_token: bool,
}

/// Encodes and decodes. What people type is never read as a control token unless the caller asks for that.
#[derive(Debug)]
pub struct Tokenizer {
    table: Arc<TokenTable>,
    control: Arc<ControlTokens>,
    words: Arc<Words>,
    stop_ids: Vec<u32>,
    bos_token_id: Option<u32>,
    eos_token_id: Option<u32>,
    add_bos_token: bool,
}

/// All that ordinary text needs.
#[derive(Debug)]
pub(crate) struct Words {
    user_defined: ControlTokens,
    pre_tokenizer: PreTokenizer,
    bpe: BPE,
}

impl Tokenizer {
    /// Takes a vocabulary over.
    ///
    /// # Errors
    /// If the pre-tokenizer isn't known, a token is there twice, a merge names tokens that aren't,
    /// or an id lies outside the vocabulary. The error names it.
    pub fn from_vocabulary(vocabulary: Vocabulary) -> Result<Tokenizer, ChatError> {
        let pre_tokenizer = PreTokenizer::named(&vocabulary.pre)?;
        check_ids(&vocabulary)?;
        let table = TokenTable::new(&vocabulary.tokens, &vocabulary.token_types);
        let of_kind = |kind| {
            let tokens = vocabulary.tokens.iter().map(String::as_str).zip(0..);
            ControlTokens::new(tokens.filter(move |(_, id)| table.kind(*id) == Some(kind)))
        };
        let (control, user_defined) = (of_kind(Kind::Control), of_kind(Kind::UserDefined));
        let stop_ids = stop_ids(&vocabulary, &control);
        let ordinary = ordinary_tokens(vocabulary.tokens, &table)?;
        let merges = pairs(vocabulary.merges, &ordinary)?;
        let bpe = BPE::builder()
            .vocab_and_merges(ordinary, merges)
            .ignore_merges(pre_tokenizer.whole_words_first)
            // The library's cache is a thread's, and would outlive the tokenizer, with what people typed in it.
            .cache_capacity(0)
            .build()
            .map_err(|error| ChatError::Bpe { reason: error.to_string() })?;
        Ok(Tokenizer {
            table: Arc::new(table),
            control: Arc::new(control),
            words: Arc::new(Words { user_defined, pre_tokenizer, bpe }),
            stop_ids,
            bos_token_id: vocabulary.bos_token_id,
            eos_token_id: vocabulary.eos_token_id,
            add_bos_token: vocabulary.add_bos_token,
        })
    }

    /// Ids of ordinary text: a control token in it, such as `<|im_end|>`, is text too.
    ///
    /// # Errors
    /// If the text can't be split into words.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, ChatError> {
        self.words.encode(text)
    }

    /// Ids of text whose control tokens are meant as such. No `bos` is put before it.
    ///
    /// # Errors
    /// If the text can't be split into words.
    pub fn encode_with_special(&self, text: &str) -> Result<Vec<u32>, ChatError> {
        encode_segments(&self.control, text, |text| self.words.encode(text))
    }

    /// The text of ids, control tokens by name. Bytes that are no text become U+FFFD; unknown ids give nothing.
    pub fn decode(&self, ids: &[u32]) -> String {
        let bytes: Vec<u8> = ids.iter().flat_map(|id| self.table.bytes(*id)).copied().collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Whether an id is structure rather than text.
    pub fn is_control(&self, id: u32) -> bool {
        self.table.kind(id) == Some(Kind::Control)
    }

    /// Ids that end an answer, ascending: those that the file names, and those whose names say so.
    pub fn stop_ids(&self) -> &[u32] {
        &self.stop_ids
    }

    /// How many tokens; at least one.
    pub fn vocab_size(&self) -> usize {
        self.table.len()
    }

    /// Begin of text.
    pub fn bos_token_id(&self) -> Option<u32> {
        self.bos_token_id
    }

    /// Whether plain text, as against a rendered chat, begins with `bos`.
    pub fn add_bos_token(&self) -> bool {
        self.add_bos_token
    }

    /// A decoder for ids that come one by one.
    pub fn stream(&self) -> TextStream {
        TextStream::new(Arc::clone(&self.table))
    }

    /// The text of `bos` and of `eos`, as templates see them.
    pub(crate) fn bos_and_eos(&self) -> [Option<String>; 2] {
        [self.bos_token_id, self.eos_token_id].map(|id| id.map(|id| self.decode(&[id])))
    }

    /// What a template shares with the tokenizer.
    pub(crate) fn shared(&self) -> (Arc<ControlTokens>, Arc<Words>) {
        (Arc::clone(&self.control), Arc::clone(&self.words))
    }
}

impl Words {
    /// Ids of text without control tokens. User-defined tokens are found first, as in training.
    pub(crate) fn encode(&self, text: &str) -> Result<Vec<u32>, ChatError> {
        encode_segments(&self.user_defined, text, |text| self.merge(text))
    }

    fn merge(&self, text: &str) -> Result<Vec<u32>, ChatError> {
        let mut ids = Vec::new();
        let mut letters = String::new();
        for word in self.pre_tokenizer.split(text)? {
            byte_level::encode_into(word, &mut letters);
            let tokens = self.bpe.tokenize(&letters);
            let tokens = tokens.map_err(|error| ChatError::Bpe { reason: error.to_string() })?;
            ids.extend(tokens.iter().map(|token| token.id));
        }
        Ok(ids)
    }
}

/// Ids of `text`: of its tokens as they are, of what is between them as `encode` has them.
pub(crate) fn encode_segments(
    tokens: &ControlTokens,
    text: &str,
    encode: impl Fn(&str) -> Result<Vec<u32>, ChatError>,
) -> Result<Vec<u32>, ChatError> {
    let mut ids = Vec::new();
    for segment in tokens.split(text) {
        match segment {
            Segment::Token(id) => ids.push(id),
            Segment::Text(text) => ids.extend(encode(text)?),
        }
    }
    Ok(ids)
}

fn check_ids(vocabulary: &Vocabulary) -> Result<(), ChatError> {
    let (tokens, token_types) = (vocabulary.tokens.len(), vocabulary.token_types.len());
    if tokens == 0 {
        return Err(ChatError::EmptyVocabulary);
    }
    if token_types != tokens {
        return Err(ChatError::TokenTypes { tokens, token_types });
    }
    let named = [
        ("bos", vocabulary.bos_token_id),
        ("eos", vocabulary.eos_token_id),
        ("eot", vocabulary.eot_token_id),
        ("eom", vocabulary.eom_token_id),
    ];
    match named.into_iter().find_map(|(name, id)| Some((name, id.filter(|id| *id as usize >= tokens)?))) {
        Some((name, id)) => Err(ChatError::TokenId { name, id, tokens }),
        None => Ok(()),
    }
}

fn stop_ids(vocabulary: &Vocabulary, control: &ControlTokens) -> Vec<u32> {
    let named = [vocabulary.eos_token_id, vocabulary.eot_token_id, vocabulary.eom_token_id];
    let known = control.texts().filter(|token| ends_a_turn(token)).filter_map(|token| control.id(token));
    let mut ids: Vec<u32> = named.into_iter().flatten().chain(known).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// The tokens that text may become; no word is ever a control token, even if it reads like one.
fn ordinary_tokens(tokens: Vec<String>, table: &TokenTable) -> Result<Vocab, ChatError> {
    let mut all = Vocab::default();
    for (token, id) in tokens.into_iter().zip(0..) {
        if let Some(first) = all.get(&token) {
            return Err(ChatError::DuplicateToken { token: quote(&token), first: *first, second: id });
        }
        all.insert(token, id);
    }
    all.retain(|_, id| matches!(table.kind(*id), Some(Kind::Normal | Kind::UserDefined)));
    Ok(all)
}

/// The merges as pairs. The library wants both halves and the whole to be tokens, and the last it doesn't check.
fn pairs(merges: Vec<String>, ordinary: &Vocab) -> Result<Merges, ChatError> {
    let mut pairs = Merges::with_capacity(merges.len());
    for (rank, merge) in merges.into_iter().enumerate() {
        // The first character may itself be a space, as llama.cpp reads it.
        let space = merge.char_indices().skip(1).find(|(_, character)| *character == ' ').map(|(at, _)| at);
        let halves = space.and_then(|at| Some((merge.get(..at)?, merge.get(at + 1..)?)));
        let (left, right) = halves.unwrap_or((merge.as_str(), ""));
        let whole = [left, right].concat();
        if let Some(missing) = [left, right, &whole].into_iter().find(|token| !ordinary.contains_key(*token)) {
            return Err(ChatError::Merge { rank, merge: quote(&merge), missing: quote(missing) });
        }
        pairs.push((left.to_owned(), right.to_owned()));
    }
    Ok(pairs)
}

#[cfg(test)]
#[path = "tokenizer_tests.rs"]
mod tests;
