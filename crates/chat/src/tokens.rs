//! The tokens of a vocabulary, by id.

use std::ops::Range;

/// More ids than any vocabulary has: the largest in use have some 262,000.
pub(crate) const MAX_TOKENS: usize = 1 << 20;

/// What a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenKind {
    /// Made by merging.
    Normal,
    /// Structure, which ordinary text never becomes.
    Control,
    /// Ordinary text that is one token wherever it stands, before any merging.
    UserDefined,
    /// In the table, but no text becomes it: a hole, or a word in characters that stand for no byte.
    Inert,
}

/// What each id stands for. All bytes lie behind each other: 128,256 tokens take 1.4 MiB this way.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    bytes: Vec<u8>,
    /// Where each token's bytes end, by id.
    ends: Vec<u32>,
    kinds: Vec<TokenKind>,
}

impl Tokens {
    pub(crate) fn push(&mut self, bytes: &[u8], kind: TokenKind) {
        self.bytes.extend_from_slice(bytes);
        self.ends.push(self.bytes.len() as u32);
        self.kinds.push(kind);
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The bytes of a token; none for an id beyond the vocabulary.
    pub(crate) fn bytes(&self, id: u32) -> &[u8] {
        self.bytes.get(self.range(id)).unwrap_or_default()
    }

    /// What an id is for; [`TokenKind::Inert`] beyond the vocabulary.
    pub(crate) fn kind(&self, id: u32) -> TokenKind {
        self.kinds.get(id as usize).copied().unwrap_or(TokenKind::Inert)
    }

    pub(crate) fn ids(&self) -> Range<u32> {
        0..self.len() as u32
    }

    /// The text of a control or user-defined token.
    pub(crate) fn text(&self, id: u32) -> &str {
        std::str::from_utf8(self.bytes(id)).unwrap_or_default()
    }

    fn range(&self, id: u32) -> Range<usize> {
        let start = match (id as usize).checked_sub(1) {
            Some(before) => self.ends.get(before).copied().unwrap_or(0),
            None => 0,
        };
        let end = self.ends.get(id as usize).copied().unwrap_or(start);
        start as usize..end as usize
    }
}
