//! Tokens that are found in text before it is cut into words: control tokens and user-defined ones.
//!
//! At each position the longest that stands there wins, as everywhere else in the field.

use std::collections::HashMap;
use std::ops::Range;

use crate::tokens::{TokenKind, Tokens};

/// Longer ones are no markup but an attack on the time it takes to look for them.
const LONGEST: usize = 256;

/// The tokens of one vocabulary that are looked for in text.
#[derive(Debug, Clone, Default)]
pub(crate) struct SpecialTokens {
    by_text: HashMap<String, (u32, TokenKind)>,
    /// Lengths in bytes that occur, by first byte, longest first: what there is to look up at a position.
    lengths: HashMap<u8, Vec<usize>>,
}

/// Which tokens count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    /// In text that someone wrote.
    UserDefined,
    /// In what a template rendered, once ordinary text has been set apart.
    Control,
    /// In text whose control tokens are meant.
    Both,
}

impl SpecialTokens {
    /// A control token of a single character, or with white space in it, can't be told from what people write:
    /// it is never found in text.
    pub(crate) fn new(tokens: &Tokens) -> SpecialTokens {
        let mut found = SpecialTokens::default();
        for id in tokens.ids() {
            let (kind, token) = (tokens.kind(id), tokens.text(id));
            let is_found = match kind {
                TokenKind::Normal | TokenKind::Inert => false,
                TokenKind::UserDefined => true,
                TokenKind::Control => token.chars().count() > 1 && !token.contains(char::is_whitespace),
            };
            if is_found && (1..=LONGEST).contains(&token.len()) {
                found.by_text.insert(token.to_owned(), (id, kind));
            }
        }
        for token in found.by_text.keys() {
            let lengths = found.lengths.entry(token.as_bytes()[0]).or_default();
            if !lengths.contains(&token.len()) {
                lengths.push(token.len());
            }
        }
        found
            .lengths
            .values_mut()
            .for_each(|lengths| lengths.sort_by_key(|length| std::cmp::Reverse(*length)));
        found
    }

    /// The control tokens' text.
    pub(crate) fn control(&self) -> impl Iterator<Item = &str> {
        let is_control = |(_, (_, kind)): &(&String, &(u32, TokenKind))| *kind == TokenKind::Control;
        self.by_text.iter().filter(is_control).map(|(text, _)| text.as_str())
    }

    /// The id of the control token that is spelled so.
    pub(crate) fn control_id(&self, text: &str) -> Option<u32> {
        self.by_text.get(text).filter(|(_, kind)| *kind == TokenKind::Control).map(|(id, _)| *id)
    }

    /// The first token at or after `from`: where it stands, and its id.
    pub(crate) fn find(&self, text: &str, from: usize, look: Look) -> Option<(Range<usize>, u32)> {
        (from..text.len()).find_map(|at| self.at(text, at, look))
    }

    /// The longest token that begins at `at`.
    pub(crate) fn at(&self, text: &str, at: usize, look: Look) -> Option<(Range<usize>, u32)> {
        let lengths = self.lengths.get(text.as_bytes().get(at)?)?;
        lengths.iter().find_map(|length| {
            let (id, kind) = self.by_text.get(text.get(at..at + length)?)?;
            let counts = match look {
                Look::UserDefined => *kind == TokenKind::UserDefined,
                Look::Control => *kind == TokenKind::Control,
                Look::Both => true,
            };
            counts.then_some((at..at + length, *id))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn special() -> SpecialTokens {
        let long = format!("<{}>", "x".repeat(LONGEST));
        let mut tokens = Tokens::default();
        for (token, kind) in [
            ("<a>", TokenKind::Control),
            ("<a><b>", TokenKind::Control),
            ("<b>", TokenKind::Control),
            ("é>", TokenKind::Control),
            ("  ", TokenKind::UserDefined),
            ("<u>", TokenKind::UserDefined),
            ("<n>", TokenKind::Normal),
            ("!", TokenKind::Control),
            ("<a b>", TokenKind::Control),
            ("", TokenKind::Control),
            (&long, TokenKind::Control),
        ] {
            tokens.push(token.as_bytes(), kind);
        }
        SpecialTokens::new(&tokens)
    }

    #[track_caller]
    fn check(text: &str, look: Look, expected: &[(&str, u32)]) {
        let special = special();
        let (mut at, mut found) = (0, Vec::new());
        while let Some((range, id)) = special.find(text, at, look) {
            at = range.end;
            found.push((&text[range], id));
        }
        assert_eq!(found, expected, "{text:?} {look:?}");
    }

    #[test]
    fn the_longest_token_at_the_first_place_is_found() {
        let text = "x<a><b>y<b><a><u>é>  <n>";
        check(text, Look::Control, &[("<a><b>", 1), ("<b>", 2), ("<a>", 0), ("é>", 3)]);
        check(text, Look::UserDefined, &[("<u>", 5), ("  ", 4)]);
        check(text, Look::Both, &[("<a><b>", 1), ("<b>", 2), ("<a>", 0), ("<u>", 5), ("é>", 3), ("  ", 4)]);
        check("", Look::Both, &[]);
        check("<", Look::Both, &[]);
        check("日<日<a>日", Look::Both, &[("<a>", 0)]);
    }

    #[test]
    fn what_can_not_be_told_from_text_is_not_found() {
        check(&format!("!<a b><{}>", "x".repeat(LONGEST)), Look::Both, &[]);
    }
}
