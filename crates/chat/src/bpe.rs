//! Byte-level byte-pair encoding: a word's bytes become tokens, and pairs of tokens merge, the best pair first.
//!
//! ```text
//! "hello"   h e l l o   ->  he l l o  ->  he ll o  ->  hell o  ->  hello
//! ```
//!
//! Merges lie sorted by their left token, so that a look-up is a short binary search: the 280,147 merges of Llama 3
//! take 4.8 MiB, where a hash map takes 9, and no vocabulary can make look-ups slow.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::tokens::{TokenKind, Tokens};

/// Two tokens that merge. Lower ranks merge first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Merge {
    pub(crate) left: u32,
    pub(crate) right: u32,
    pub(crate) rank: u32,
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
pub(crate) struct Bpe {
    /// The token of each byte.
    byte_ids: [Option<u32>; 256],
    /// By left token, then by right.
    merges: Vec<Merge>,
    /// Where a left token's merges begin, by id, and one more for the end: `[vocab_size + 1]`.
    starts: Vec<u32>,
    /// The ids of whole words, by their bytes; empty if words are made by merging alone.
    words: Vec<u32>,
}

impl Bpe {
    /// Takes checked merges: all ids are below the number of tokens. Fails with two ranks of the same pair.
    pub(crate) fn new(
        tokens: &Tokens,
        byte_ids: [Option<u32>; 256],
        mut merges: Vec<Merge>,
        whole_words: WholeWords,
    ) -> Result<Bpe, [u32; 2]> {
        merges.sort_unstable_by_key(|merge| (merge.left, merge.right, merge.rank));
        for pair in merges.windows(2) {
            if let [first, second] = pair
                && (first.left, first.right) == (second.left, second.right)
            {
                return Err([first.rank, second.rank]);
            }
        }
        let mut starts = Vec::with_capacity(tokens.len() + 1);
        let mut at = 0;
        for id in 0..=tokens.len() as u32 {
            at += merges[at..].iter().take_while(|merge| merge.left < id).count();
            starts.push(at as u32);
        }
        let mut words: Vec<u32> = match whole_words {
            WholeWords::First => tokens.ids().filter(|id| tokens.kind(*id) == TokenKind::Normal).collect(),
            WholeWords::ByMerging => Vec::new(),
        };
        words.sort_unstable_by_key(|id| tokens.bytes(*id));
        Ok(Bpe { byte_ids, merges, starts, words })
    }

    /// Appends the tokens of `word`. A byte that has none is left out, as in Hugging Face's implementation.
    pub(crate) fn encode(&self, tokens: &Tokens, word: &[u8], scratch: &mut Scratch, ids: &mut Vec<u32>) {
        if let Ok(found) = self.words.binary_search_by_key(&word, |id| tokens.bytes(*id)) {
            ids.push(self.words[found]);
            return;
        }
        scratch.begin(word.iter().filter_map(|byte| self.byte_ids[usize::from(*byte)]));
        for left in 0..scratch.symbols.len() as u32 {
            self.offer(left, scratch);
        }
        while let Some(Reverse((rank, left))) = scratch.heap.pop() {
            // The pair may be gone, or another stand in its place.
            if let Some(merge) = self.merge(left, scratch).filter(|merge| merge.rank == rank) {
                let before = scratch.apply(left, merge.merged);
                self.offer(left, scratch);
                before.into_iter().for_each(|before| self.offer(before, scratch));
            }
        }
        ids.extend(scratch.symbols.iter().filter(|symbol| symbol.id != GONE).map(|symbol| symbol.id));
    }

    /// Puts what `left` and its neighbour could become among the candidates.
    fn offer(&self, left: u32, scratch: &mut Scratch) {
        if let Some(merge) = self.merge(left, scratch) {
            scratch.heap.push(Reverse((merge.rank, left)));
        }
    }

    fn merge(&self, left: u32, scratch: &Scratch) -> Option<Merge> {
        let symbol = scratch.symbols.get(left as usize)?;
        let right = scratch.symbols.get(symbol.next as usize)?.id;
        let start = *self.starts.get(symbol.id as usize)?;
        let end = *self.starts.get(symbol.id as usize + 1)?;
        let merges = self.merges.get(start as usize..end as usize)?;
        let found = merges.binary_search_by_key(&right, |merge| merge.right).ok()?;
        merges.get(found).copied()
    }
}

/// The id of what has become part of its left neighbour: no token has it, since ids are below 2²⁰.
const GONE: u32 = u32::MAX;

/// Before the first and behind the last.
const NONE: u32 = u32::MAX;

/// A token in the making, in a list that is linked both ways.
#[derive(Debug, Clone, Copy)]
struct Symbol {
    id: u32,
    prev: u32,
    next: u32,
}

/// Memory that is used again for each word.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    symbols: Vec<Symbol>,
    /// Ranks and places of pairs that may merge; the leftmost of the same rank first.
    heap: BinaryHeap<Reverse<(u32, u32)>>,
}

impl Scratch {
    fn begin(&mut self, ids: impl Iterator<Item = u32>) {
        self.heap.clear();
        self.symbols.clear();
        for (at, id) in (0u32..).zip(ids) {
            self.symbols.push(Symbol { id, prev: at.checked_sub(1).unwrap_or(NONE), next: at + 1 });
        }
        if let Some(last) = self.symbols.last_mut() {
            last.next = NONE;
        }
    }

    /// Merges `left` with its neighbour. Returns what stands before it.
    fn apply(&mut self, left: u32, merged: u32) -> Option<u32> {
        let Symbol { prev, next: right, .. } = self.symbols[left as usize];
        let next = self.symbols[right as usize].next;
        self.symbols[right as usize] = Symbol { id: GONE, prev: NONE, next: NONE };
        self.symbols[left as usize] = Symbol { id: merged, prev, next };
        if let Some(behind) = self.symbols.get_mut(next as usize) {
            behind.prev = left;
        }
        (prev != NONE).then_some(prev)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tokens are `a`, `b`, `c` and what `rows` make, as `left right`, in order of rank.
    #[track_caller]
    fn check(rows: &[(&str, &str)], whole_words: WholeWords, word: &str, expected: &[&str]) {
        let mut tokens = Tokens::default();
        let mut texts: Vec<String> = ["a", "b", "c"].map(String::from).to_vec();
        for (left, right) in rows {
            let text = [*left, *right].concat();
            if !texts.contains(&text) {
                texts.push(text);
            }
        }
        texts.push("cab".into());
        texts.iter().for_each(|text| tokens.push(text.as_bytes(), TokenKind::Normal));
        let id = |text: &str| texts.iter().position(|token| token == text).map(|id| id as u32);
        let merge = |(rank, (left, right)): (u32, &(&str, &str))| {
            let merged = id(&[*left, *right].concat()).unwrap();
            Merge { left: id(left).unwrap(), right: id(right).unwrap(), rank, merged }
        };
        let merges = (0..).zip(rows).map(merge).collect();
        let byte_ids = std::array::from_fn(|byte| id(&char::from(byte as u8).to_string()));
        let bpe = Bpe::new(&tokens, byte_ids, merges, whole_words).unwrap();
        let mut ids = Vec::new();
        bpe.encode(&tokens, word.as_bytes(), &mut Scratch::default(), &mut ids);
        let got: Vec<&str> = ids.iter().map(|id| tokens.text(*id)).collect();
        assert_eq!(got, expected, "{word}");
    }

    #[test]
    fn the_best_pair_merges_first_and_the_leftmost_of_equals() {
        let rows = [("b", "c"), ("a", "b"), ("a", "a"), ("ab", "ab"), ("aa", "a")];
        for (word, expected) in [
            ("", &[][..]),
            ("a", &["a"]),
            ("abc", &["a", "bc"]),
            ("abb", &["ab", "b"]),
            ("abab", &["abab"]),
            ("ababab", &["abab", "ab"]),
            ("aaaaa", &["aa", "aaa"]),
            ("aaab", &["aa", "ab"]),
            ("bca", &["bc", "a"]),
            // What has no token is left out, and its neighbours meet.
            ("axb", &["ab"]),
            ("x", &[]),
        ] {
            check(&rows, WholeWords::ByMerging, word, expected);
        }
    }

    #[test]
    fn a_candidate_that_is_gone_does_not_merge() {
        // `b c` is offered first and taken by `a b`, which is better; then `ab c` stands where `b c` did not.
        check(&[("a", "b"), ("b", "c"), ("ab", "c")], WholeWords::ByMerging, "abc", &["abc"]);
        // A merge that makes a better one possible than those that wait.
        check(&[("aa", "b"), ("a", "a"), ("b", "c")], WholeWords::ByMerging, "aabc", &["aab", "c"]);
    }

    #[test]
    fn whole_words_stay_whole_only_where_that_is_the_rule() {
        let rows = [("a", "b")];
        check(&rows, WholeWords::First, "cab", &["cab"]);
        check(&rows, WholeWords::ByMerging, "cab", &["c", "ab"]);
        check(&rows, WholeWords::First, "caba", &["c", "ab", "a"]);
    }

    #[test]
    fn a_pair_has_one_rank() {
        let merge = |rank| Merge { left: 0, right: 1, rank, merged: 2 };
        let mut tokens = Tokens::default();
        ["a", "b", "ab"].iter().for_each(|text| tokens.push(text.as_bytes(), TokenKind::Normal));
        let twice = vec![merge(7), merge(3)];
        let failed = Bpe::new(&tokens, [None; 256], twice, WholeWords::ByMerging).map(|_| ());
        assert_eq!(failed, Err([3, 7]));
    }
}
