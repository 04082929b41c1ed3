//! The vocabulary as a GGUF file carries it, and the checks that the tokenizer relies on.

use std::collections::HashMap;

use crate::ChatError;
use crate::bpe::{Bpe, Merge, WholeWords};
use crate::byte_level;
use crate::error::quote;
use crate::pre_tokenizer::PreTokenizer;
use crate::tokenizer::{Tokenizer, TokenizerParts};
use crate::tokens::{MAX_TOKENS, TokenKind, Tokens};

/// A byte-level BPE vocabulary. Tokens are written in GPT-2's alphabet, control tokens as they are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Vocabulary {
    /// Which pre-tokenizer splits text before merging, by llama.cpp's name, as in `llama-bpe`.
    pub pre: String,
    /// The tokens, by id.
    pub tokens: Vec<String>,
    /// What each token is, by id: 1 normal, 2 unknown, 3 control, 4 user defined, 5 unused, 6 byte.
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
    /// Whether plain text (not a rendered chat, whose template says so itself) begins with `bos`.
    pub add_bos_token: bool,
}

impl Tokenizer {
    /// Takes a vocabulary. Fails if it contradicts itself or if its pre-tokenizer is not known.
    ///
    /// A byte that has no token is left out when text is encoded, as in Hugging Face's implementation.
    pub fn from_vocabulary(vocabulary: Vocabulary) -> Result<Tokenizer, ChatError> {
        vocabulary.check()?;
        let (pre_tokenizer, whole_words) = PreTokenizer::by_name(vocabulary.pre_tokenizer())?;
        let mut tokens = Tokens::default();
        for (id, token) in vocabulary.tokens.iter().enumerate() {
            push(&mut tokens, token, vocabulary.kind(id));
        }
        let bpe = vocabulary.bpe(&tokens, whole_words)?;
        Ok(Tokenizer::new(TokenizerParts {
            tokens,
            bpe,
            pre_tokenizer,
            bos_token_id: vocabulary.bos_token_id,
            eos_token_id: vocabulary.eos_token_id,
            stop_ids: vocabulary.eot_token_id.into_iter().chain(vocabulary.eom_token_id).collect(),
            add_bos_token: vocabulary.add_bos_token,
        }))
    }
}

impl Vocabulary {
    fn kind(&self, id: usize) -> TokenKind {
        match self.token_types.get(id) {
            // The unknown token stands for what has no token, and so for no text.
            Some(2 | 3) => TokenKind::Control,
            Some(4) => TokenKind::UserDefined,
            _ => TokenKind::Normal,
        }
    }

    /// A file from before April 2024 names no pre-tokenizer; Llama 3's is known by its control tokens.
    fn pre_tokenizer(&self) -> &str {
        let has = |token: &&str| self.tokens.iter().any(|other| other == token);
        if self.pre == "default" && ["<|start_header_id|>", "<|eot_id|>"].iter().all(has) {
            return "llama-bpe";
        }
        &self.pre
    }

    /// Fails unless every token has a type and every id a token.
    fn check(&self) -> Result<(), ChatError> {
        let size = self.tokens.len();
        if size > MAX_TOKENS {
            return Err(ChatError::vocabulary("tokens", format!("at most {MAX_TOKENS}"), size));
        }
        if self.token_types.len() != size {
            let expected = format!("one for each of {size} tokens");
            return Err(ChatError::vocabulary("token types", expected, self.token_types.len()));
        }
        for (name, id) in [
            ("bos_token_id", self.bos_token_id),
            ("eos_token_id", self.eos_token_id),
            ("eot_token_id", self.eot_token_id),
            ("eom_token_id", self.eom_token_id),
        ] {
            match id {
                Some(id) if id as usize >= size => {
                    return Err(ChatError::vocabulary(name, format!("less than {size}"), id));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The merging model. Control tokens are not in it, so that no text can merge into one.
    fn bpe(&self, tokens: &Tokens, whole_words: WholeWords) -> Result<Bpe, ChatError> {
        let mut ids: HashMap<&str, u32> = HashMap::with_capacity(self.tokens.len());
        for (id, token) in (0..).zip(&self.tokens) {
            if tokens.kind(id) == TokenKind::Control {
                continue;
            }
            if let Some(first) = ids.insert(token, id) {
                let found = format!("{} again, which has {first}", quote(token));
                return Err(ChatError::vocabulary(format!("token {id}"), "one that is new", found));
            }
        }
        let mut merges = Vec::with_capacity(self.merges.len());
        for (rank, text) in self.merges.iter().enumerate() {
            // The first character may itself be a space.
            let mut characters = text.char_indices().skip(1);
            let space = characters.find(|(_, character)| *character == ' ').map(|(at, _)| at);
            let merge = space.and_then(|at| merge(&ids, &text[..at], &text[at + 1..]));
            merges.push(merge.ok_or_else(|| {
                let expected = "two tokens with a space between, whose sum is a token";
                ChatError::vocabulary(format!("merge {rank}"), expected, quote(text))
            })?);
        }
        Bpe::new(tokens, merges, whole_words)
    }
}

/// Appends a token that is written in GPT-2's alphabet, unless it is of a kind that is written as it is.
pub(crate) fn push(tokens: &mut Tokens, text: &str, kind: TokenKind) {
    match (kind, byte_level::bytes(text)) {
        (TokenKind::Normal, Some(bytes)) => tokens.push(&bytes, kind),
        (TokenKind::Normal, None) => tokens.push(text.as_bytes(), TokenKind::Inert),
        _ => tokens.push(text.as_bytes(), kind),
    }
}

/// The token of each byte, control tokens apart.
pub(crate) fn byte_ids(tokens: &Tokens) -> [Option<u32>; 256] {
    let mut byte_ids = [None; 256];
    for id in tokens.ids() {
        if let (TokenKind::Normal | TokenKind::UserDefined, [byte]) = (tokens.kind(id), tokens.bytes(id)) {
            byte_ids[usize::from(*byte)] = Some(id);
        }
    }
    byte_ids
}

/// A merge of two tokens whose sum is one; `None` if one of the three is missing.
pub(crate) fn merge<K: std::borrow::Borrow<str> + std::hash::Hash + Eq>(
    ids: &HashMap<K, u32>,
    left: &str,
    right: &str,
) -> Option<Merge> {
    let merged = *ids.get([left, right].concat().as_str())?;
    Some(Merge { left: *ids.get(left)?, right: *ids.get(right)?, merged })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Tokenizer;
    use crate::tokenizer::tests::vocabulary;

    #[track_caller]
    fn check(change: impl FnOnce(&mut Vocabulary), field: &str, found: &str) {
        let mut changed = vocabulary("llama-bpe");
        change(&mut changed);
        match Tokenizer::from_vocabulary(changed) {
            Err(ChatError::Vocabulary { field: at, found: what, .. }) => {
                assert_eq!((at.as_str(), what.as_str()), (field, found));
            }
            other => panic!("expected a damaged vocabulary, got {other:?}"),
        }
    }

    #[test]
    fn contradictions_are_refused() {
        let size = vocabulary("llama-bpe").tokens.len();
        check(|v| v.token_types.push(1), "token types", &(size + 1).to_string());
        check(|v| v.bos_token_id = Some(size as u32), "bos_token_id", &size.to_string());
        check(|v| v.eom_token_id = Some(u32::MAX), "eom_token_id", "4294967295");
        for merge in ["", " ", "a", "ab", "h e l", " he", "he ", "日本", "h zz", "zz e", "<|im_start|> h"] {
            check(|v| v.merges[2] = merge.into(), "merge 2", &format!("{merge:?}"));
        }
        // Both halves are tokens, their sum is not: longer than any token, and shorter.
        let long = format!("{0} {0}", "x".repeat(300));
        let shown: String = long.chars().take(80).collect();
        check(
            |v| {
                v.tokens[0] = "x".repeat(300);
                v.merges[0] = long;
            },
            "merge 0",
            &format!("{shown:?}"),
        );
        check(|v| v.merges[0] = "e h".into(), "merge 0", "\"e h\"");
    }
}
