//! The vocabulary as a GGUF file carries it, and the checks that the tokenizer relies on.

use std::collections::HashMap;

use tokenizers::models::bpe::{BPE, Merges, Vocab};

use crate::ChatError;

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

/// What a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenKind {
    /// Made by merging.
    Normal,
    /// Structure, which ordinary text never becomes.
    Control,
    /// Ordinary text that is one token wherever it stands, before any merging.
    UserDefined,
}

impl Vocabulary {
    pub(crate) fn kind(&self, id: usize) -> TokenKind {
        match self.token_types.get(id) {
            // The unknown token stands for what has no token, and so for no text.
            Some(2 | 3) => TokenKind::Control,
            Some(4) => TokenKind::UserDefined,
            _ => TokenKind::Normal,
        }
    }

    /// Fails unless every token has a type and every id a token.
    pub(crate) fn check(&self) -> Result<(), ChatError> {
        let size = self.tokens.len();
        if self.token_types.len() != size {
            let expected = format!("one for each of {size} tokens");
            return Err(damaged("token types", expected, self.token_types.len()));
        }
        for (name, id) in [
            ("bos_token_id", self.bos_token_id),
            ("eos_token_id", self.eos_token_id),
            ("eot_token_id", self.eot_token_id),
            ("eom_token_id", self.eom_token_id),
        ] {
            match id {
                Some(id) if id as usize >= size => {
                    return Err(damaged(name, format!("less than {size}"), id));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The merging model. Control tokens are not in it, so that no text can merge into one.
    pub(crate) fn bpe(&self, ignore_merges: bool) -> Result<BPE, ChatError> {
        let mut ids: HashMap<&str, u32> = HashMap::with_capacity(self.tokens.len());
        for (id, token) in (0..).zip(&self.tokens) {
            if self.kind(id as usize) != TokenKind::Control {
                ids.insert(token, id);
            }
        }
        let merges = self.split_merges(&ids)?;
        let vocab: Vocab = ids.into_iter().map(|(token, id)| (token.to_owned(), id)).collect();
        BPE::builder()
            .vocab_and_merges(vocab, merges)
            .ignore_merges(ignore_merges)
            // The cache is the thread's, not the model's, and would outlive it.
            .cache_capacity(0)
            .build()
            .map_err(ChatError::tokenizer)
    }

    /// Checks each merge: the builder panics over one whose result is longer than any token.
    fn split_merges(&self, ids: &HashMap<&str, u32>) -> Result<Merges, ChatError> {
        let mut merges = Merges::with_capacity(self.merges.len());
        for (rank, merge) in self.merges.iter().enumerate() {
            // The first character may itself be a space.
            let mut characters = merge.char_indices().skip(1);
            let space = characters.find(|(_, character)| *character == ' ').map(|(at, _)| at);
            let pair = space.map(|at| (&merge[..at], &merge[at + 1..]));
            match pair {
                Some((left, right))
                    if [left, right, &[left, right].concat()].iter().all(|token| ids.contains_key(token)) =>
                {
                    merges.push((left.into(), right.into()));
                }
                _ => {
                    let expected = "two tokens with a space between, whose sum is a token";
                    let found = format!("{:?}", merge.chars().take(80).collect::<String>());
                    return Err(damaged(format!("merge {rank}"), expected, found));
                }
            }
        }
        Ok(merges)
    }
}

fn damaged(field: impl Into<String>, expected: impl Into<String>, found: impl ToString) -> ChatError {
    ChatError::Vocabulary { field: field.into(), expected: expected.into(), found: found.to_string() }
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
