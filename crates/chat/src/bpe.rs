//! Byte-level byte-pair encoding: a word's bytes become tokens, and pairs of tokens merge, the best pair first.
//!
//! ```text
//! "hello"   h e l l o   ->  he l l o  ->  he ll o  ->  hell o  ->  hello
//! ```
//!
//! The crate `tokenizers` merges, as it does for those who publish these vocabularies. It takes tokens as text in
//! GPT-2's alphabet, and it trusts them: what it would panic over is checked here and by those who read the merges.

use tokenizers::Model as _;
use tokenizers::models::bpe::{BPE, Merges, Vocab};

use crate::tokens::{TokenKind, Tokens};
use crate::{ChatError, byte_level};

/// Llama 3 has 280,147, the largest vocabularies in use not twice as many. The crate takes some 100 bytes for each.
pub(crate) const MAX_MERGES: usize = 1 << 20;

/// Two tokens that merge, and what they become: its bytes are theirs, one behind the other. Best first in a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Merge {
    pub(crate) left: u32,
    pub(crate) right: u32,
    pub(crate) merged: u32,
}

/// Whether a word that is a token stays whole, whatever the merges would make of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WholeWords {
    /// Llama 3's rule: `ignore_merges` in its files.
    First,
    /// GPT-2's rule.
    ByMerging,
}

/// The merging model of a vocabulary.
#[derive(Debug)]
pub(crate) struct Bpe(BPE);

impl Bpe {
    /// Takes the tokens that merging makes, and merges, best first. Fails if a pair is there twice.
    ///
    /// Control tokens are not in the model, so that no text can merge into one, whatever the merges say. Nor are
    /// user-defined tokens, which are cut out of a text before it is merged, and those that no bytes become. A merge
    /// with one of them is left out, since no text gets there.
    pub(crate) fn new(
        tokens: &Tokens,
        merges: Vec<Merge>,
        whole_words: WholeWords,
    ) -> Result<Bpe, ChatError> {
        check_merges(&merges)?;
        let is_made = |id: &u32| tokens.kind(*id) == TokenKind::Normal;
        let text = |id: u32| byte_level::text(tokens.bytes(id));
        let vocab: Vocab = tokens.ids().filter(is_made).map(|id| (text(id), id)).collect();
        // The builder panics over a sum that is longer than any token: here each sum is one.
        let merges: Merges = merges
            .into_iter()
            .filter(|Merge { left, right, merged }| [left, right, merged].into_iter().all(is_made))
            .map(|merge| (text(merge.left), text(merge.right)))
            .collect();
        // Llama 3's 128,256 tokens and 280,147 merges load in 0.15 to 0.25 s in all (x86-64, release), with 58 to
        // 65 MiB at the peak, of which 29 stay. Merging of our own, over sorted ids, loaded in 0.1 s with 13 to 22
        // and 11 MiB, but took 42 ms for 435 kB of prose where this takes 24: no reason not to leave it to a crate
        // that others keep.
        BPE::builder()
            .vocab_and_merges(vocab, merges)
            .ignore_merges(whole_words == WholeWords::First)
            // The cache is the thread's, not the model's, and would outlive it.
            .cache_capacity(0)
            .build()
            .map(Bpe)
            .map_err(ChatError::tokenizer)
    }

    /// Appends the tokens of `word`. A byte that has none is left out.
    pub(crate) fn encode(&self, word: &str, ids: &mut Vec<u32>) -> Result<(), ChatError> {
        let merged = self.0.tokenize(&byte_level::text(word.as_bytes())).map_err(ChatError::tokenizer)?;
        ids.extend(merged.iter().map(|token| token.id));
        Ok(())
    }
}

/// The builder would let the second of two equal pairs win.
fn check_merges(merges: &[Merge]) -> Result<(), ChatError> {
    if merges.len() > MAX_MERGES {
        return Err(ChatError::vocabulary("merges", format!("at most {MAX_MERGES}"), merges.len()));
    }
    let mut pairs: Vec<(u32, u32, u32)> =
        (0..).zip(merges).map(|(rank, merge)| (merge.left, merge.right, rank)).collect();
    pairs.sort_unstable();
    for pair in pairs.windows(2) {
        if let [(left, right, first), (other_left, other_right, second)] = pair
            && (left, right) == (other_left, other_right)
        {
            let found = format!("merge {first} again");
            return Err(ChatError::vocabulary(format!("merge {second}"), "one that is new", found));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ids of `a`, `b`, `c`, `ab`, `cab`, a control token, one that is looked for before, and one of no bytes.
    const KINDS: [(&str, TokenKind); 8] = [
        ("a", TokenKind::Normal),
        ("b", TokenKind::Normal),
        ("c", TokenKind::Normal),
        ("ab", TokenKind::Normal),
        ("cab", TokenKind::Normal),
        ("bc", TokenKind::Control),
        ("ca", TokenKind::UserDefined),
        ("aa", TokenKind::Inert),
    ];

    fn bpe(merges: &[[u32; 3]], whole_words: WholeWords) -> Result<Bpe, ChatError> {
        let mut tokens = Tokens::default();
        KINDS.iter().for_each(|(text, kind)| tokens.push(text.as_bytes(), *kind));
        let merges =
            merges.iter().map(|[left, right, merged]| Merge { left: *left, right: *right, merged: *merged });
        Bpe::new(&tokens, merges.collect(), whole_words)
    }

    #[track_caller]
    fn check(merges: &[[u32; 3]], whole_words: WholeWords, word: &str, expected: &[u32]) {
        let mut ids = Vec::new();
        bpe(merges, whole_words).unwrap().encode(word, &mut ids).unwrap();
        assert_eq!(ids, expected, "{word}");
    }

    #[test]
    fn whole_words_stay_whole_only_where_that_is_the_rule() {
        let merges = [[0, 1, 3]];
        check(&merges, WholeWords::First, "cab", &[4]);
        check(&merges, WholeWords::ByMerging, "cab", &[2, 3]);
        check(&merges, WholeWords::First, "caba", &[2, 3, 0]);
        // What has no token is left out, and its neighbours meet.
        check(&merges, WholeWords::First, "axb", &[3]);
        check(&merges, WholeWords::First, "é", &[]);
        check(&merges, WholeWords::First, "", &[]);
    }

    #[test]
    fn only_what_merging_makes_is_in_the_model() {
        let merges = [[1, 2, 5], [2, 0, 6], [0, 0, 7], [0, 1, 3], [2, 3, 4]];
        for whole_words in [WholeWords::First, WholeWords::ByMerging] {
            for (word, expected) in
                [("bc", &[1, 2][..]), ("ca", &[2, 0]), ("aa", &[0, 0]), ("cab", &[4]), ("abc", &[3, 2])]
            {
                check(&merges, whole_words, word, expected);
            }
        }
    }

    #[test]
    fn a_pair_has_one_rank() {
        let merges = [[2, 3, 4], [0, 1, 3], [1, 2, 5], [0, 1, 3]];
        let failed = bpe(&merges, WholeWords::ByMerging).map(|_| ()).unwrap_err();
        assert_eq!(failed, ChatError::vocabulary("merge 3", "one that is new", "merge 1 again"));
    }

    #[test]
    fn more_merges_than_any_vocabulary_has_are_refused() {
        let failed = bpe(&vec![[0, 1, 3]; MAX_MERGES + 1], WholeWords::First).map(|_| ()).unwrap_err();
        assert_eq!(failed, ChatError::vocabulary("merges", "at most 1048576", MAX_MERGES + 1));
    }
}
