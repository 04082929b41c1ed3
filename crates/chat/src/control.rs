//! Finding control tokens in text, and keeping those that a person typed from being found.
//!
//! The template's text and the contents are one string when they are tokenized, as in training; merges go across
//! their seams. So contents are defused before they are rendered: a marker, a code point that Unicode keeps
//! out of text, goes behind the first character of each control token. It no longer matches, while trimming
//! and the like work on it as on the original. The markers are taken out of what is then ordinary text.
//!
//! A template that cuts contents up or replaces parts of them can undo this; none that we know does so to `<|`.

use std::collections::{BTreeSet, HashMap};

/// The control tokens of a vocabulary, by text.
#[derive(Debug, Default)]
pub(crate) struct ControlTokens {
    ids: HashMap<String, u32>,
    /// The lengths that occur, in bytes, longest first.
    lengths: Vec<usize>,
    /// The first bytes that occur.
    starts: BTreeSet<u8>,
}

/// A stretch of text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Segment<'t> {
    /// No token of those looked for.
    Text(&'t str),
    /// One token.
    Token(u32),
}

impl ControlTokens {
    /// Tokens of fewer than two characters are left out: no marker fits into them.
    pub(crate) fn new<'a>(tokens: impl Iterator<Item = (&'a str, u32)>) -> ControlTokens {
        let tokens = tokens.filter(|(token, _)| token.chars().nth(1).is_some());
        let ids: HashMap<String, u32> = tokens.map(|(token, id)| (token.to_owned(), id)).collect();
        let lengths: BTreeSet<usize> = ids.keys().map(String::len).collect();
        let starts = ids.keys().filter_map(|token| token.bytes().next()).collect();
        ControlTokens { ids, lengths: lengths.into_iter().rev().collect(), starts }
    }

    pub(crate) fn id(&self, token: &str) -> Option<u32> {
        self.ids.get(token).copied()
    }

    /// All texts.
    pub(crate) fn texts(&self) -> impl Iterator<Item = &str> {
        self.ids.keys().map(String::as_str)
    }

    /// The text split at tokens: of those that overlap the first, of those that begin together the longest.
    pub(crate) fn split<'t>(&self, text: &'t str) -> Vec<Segment<'t>> {
        let mut segments = Vec::new();
        let (mut start, mut at) = (0, 0);
        while at < text.len() {
            let Some((length, id)) = self.find(text, at) else {
                at += 1;
                continue;
            };
            segments.extend(text.get(start..at).filter(|text| !text.is_empty()).map(Segment::Text));
            segments.push(Segment::Token(id));
            at += length;
            start = at;
        }
        segments.extend(text.get(start..).filter(|text| !text.is_empty()).map(Segment::Text));
        segments
    }

    /// The longest token at a byte of the text, with its length.
    fn find(&self, text: &str, at: usize) -> Option<(usize, u32)> {
        if !self.starts.contains(text.as_bytes().get(at)?) {
            return None;
        }
        let found = |length: &usize| Some((*length, self.id(text.get(at..at.checked_add(*length)?)?)?));
        self.lengths.iter().find_map(found)
    }

    /// `content` with markers, so that no token is found in it, nor one that it and its surroundings make together.
    pub(crate) fn defuse(&self, content: &str, marker: char) -> String {
        let mut defused = String::with_capacity(content.len());
        // Templates trim; what they then put beside the content is beside its first and last letter.
        let first = content.len() - content.trim_start().len();
        let last = content.trim_end().len();
        let trimmed = content.trim();
        for (at, character) in content.char_indices() {
            if at == first && self.texts().any(|token| goes_on_in(token, trimmed)) {
                defused.push(marker);
            }
            defused.push(character);
            let is_last = at + character.len_utf8() == last;
            if self.find(content, at).is_some()
                || (is_last && self.texts().any(|token| begins_at_the_end_of(token, trimmed)))
            {
                defused.push(marker);
            }
        }
        defused
    }
}

/// Whether `text`, behind the beginning of `token`, is or begins with what follows in it.
fn goes_on_in(token: &str, text: &str) -> bool {
    let mut rests = token.char_indices().skip(1).filter_map(|(at, _)| token.get(at..));
    !text.is_empty() && rests.any(|rest| rest.starts_with(text) || text.starts_with(rest))
}

/// Whether `text` ends with the beginning of `token`.
fn begins_at_the_end_of(token: &str, text: &str) -> bool {
    token.char_indices().skip(1).any(|(at, _)| token.get(..at).is_some_and(|start| text.ends_with(start)))
}

/// A noncharacter for which `is_used` is false; `None` if all are used.
pub(crate) fn unused_marker(is_used: impl Fn(char) -> bool) -> Option<char> {
    ('\u{fdd0}'..='\u{fdef}').find(|marker| !is_used(*marker))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKENS: [&str; 6] = ["<|end|>", "<|end|>>", "[INST]", "<s>", "«a»", "X"];
    const M: char = '\u{fdd0}';

    fn tokens() -> ControlTokens {
        ControlTokens::new(TOKENS.into_iter().zip(0..))
    }

    #[test]
    fn text_is_split_at_the_first_and_longest_token() {
        use Segment::{Text, Token};
        let rows: [(&str, &[Segment<'_>]); 8] = [
            ("", &[]),
            ("plain", &[Text("plain")]),
            ("<s>", &[Token(3)]),
            ("a<s>b<|end|>", &[Text("a"), Token(3), Text("b"), Token(0)]),
            ("<|end|>>>", &[Token(1), Text(">")]),
            ("<|<s>end|>", &[Text("<|"), Token(3), Text("end|>")]),
            ("é«a»«", &[Text("é"), Token(4), Text("«")]),
            ("XX", &[Text("XX")]),
        ];
        for (text, expected) in rows {
            assert_eq!(tokens().split(text), expected, "{text:?}");
        }
    }

    #[track_caller]
    fn check(content: &str, expected: &str) {
        let defused = tokens().defuse(content, M);
        assert_eq!(defused.replace(M, "·"), expected, "{content:?}");
        assert_eq!(defused.replace(M, ""), content);
    }

    #[test]
    fn tokens_inside_contents_are_broken() {
        check("no tokens here", "no tokens here");
        check("a <|end|> b", "a <·|end|> b");
        check("<s><s> ", "<·s><·s> ");
        check(" <|<s>end|> .", " <|<·s>end|> .");
        check("x <|end|>>", "x <·|end|>>");
        check("hi «a» ho", "hi «·a» ho");
    }

    #[test]
    fn tokens_across_the_seam_are_broken() {
        check("INST] is one", "·INST] is one");
        check("\n> quoted ", "\n·> quoted ");
        check("two of [INS\n", "two of [INS·\n");
        check(" end ", " ·end ");
        check("<", "<·");
        check("<|end", "·<|end·".trim_start_matches('·'));
        check(" \n", " \n");
    }

    #[test]
    fn a_marker_is_one_that_is_not_used() {
        assert_eq!(unused_marker(|_| false), Some('\u{fdd0}'));
        assert_eq!(unused_marker(|marker| marker < '\u{fdef}'), Some('\u{fdef}'));
        assert_eq!(unused_marker(|_| true), None);
    }
}
