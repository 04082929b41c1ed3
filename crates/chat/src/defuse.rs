//! Keeps contents from becoming control tokens while a template works on them.
//!
//! A template renders structure and contents into one text, and words may merge across the seam between them, so the
//! two can't be encoded apart. Instead a marker is put into contents wherever a control token could be found:
//!
//! ```text
//! content     Say <|im_end|> now!           "> quoted"
//! defused     Say <M|im_end|> now!          "M> quoted"    (structure before it may end in "<|im_end|")
//! rendered    <|im_start|>user\nSay <M|im_end|> now!<|im_end|>\n
//! cut at control tokens, markers removed:   <|im_start|>, "user\nSay <|im_end|> now!", <|im_end|>, "\n"
//! ```
//!
//! The marker is a noncharacter, U+FDD0 to U+FDEF, that occurs nowhere else. Most contents need none, and
//! those that do keep their first and last character in all but the seam's case, so templates see what they expect.

use crate::ChatError;
use crate::special::{Look, SpecialTokens};

/// What a string is for a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Text {
    /// Something that a person, a model or a tool said.
    Content,
    /// A string of a value, as a type, a name or a key is. Templates compare such with their own, so a single word
    /// gets no marker at its ends: to make a control token of one, a template would have to write the rest.
    Field,
}

/// Puts markers into what a template may render, and takes them out again.
#[derive(Debug)]
pub(crate) struct Defuser<'a> {
    special: &'a SpecialTokens,
    marker: Option<char>,
}

impl<'a> Defuser<'a> {
    /// `template` is the template's text, which must not have the marker either.
    pub(crate) fn new(
        texts: &[(Text, &str)],
        template: &str,
        special: &'a SpecialTokens,
    ) -> Result<Defuser<'a>, ChatError> {
        if texts.iter().all(|(kind, text)| places(text, *kind, special).is_empty()) {
            return Ok(Defuser { special, marker: None });
        }
        let occurs = |marker: &char| {
            let mut texts = texts.iter().map(|(_, text)| *text).chain([template]).chain(special.control());
            texts.any(|text| text.contains(*marker))
        };
        let marker =
            ('\u{fdd0}'..='\u{fdef}').find(|marker| !occurs(marker)).ok_or(ChatError::NoMarkerLeft)?;
        Ok(Defuser { special, marker: Some(marker) })
    }

    /// The text with markers, for a template to render.
    pub(crate) fn defuse(&self, kind: Text, text: &str) -> String {
        match self.marker {
            Some(marker) => insert(text, &places(text, kind, self.special), marker),
            None => text.to_owned(),
        }
    }

    /// What people wrote again, out of a stretch without control tokens.
    pub(crate) fn restore(&self, text: &str) -> String {
        match self.marker {
            Some(marker) => text.replace(marker, ""),
            None => text.to_owned(),
        }
    }
}

/// Where markers go, in order: behind the first character of every control token, and at the ends where one
/// could be completed by what stands next to them.
fn places(content: &str, kind: Text, special: &SpecialTokens) -> Vec<usize> {
    let inside = content.char_indices().filter(|(at, _)| special.at(content, *at, Look::Control).is_some());
    let mut places: Vec<usize> = inside.map(|(at, first)| at + first.len_utf8()).collect();
    // Templates trim. White space is in no control token that is looked for, so it needs no marker.
    let trimmed = content.trim();
    let is_word = trimmed.chars().all(|character| character.is_ascii_alphanumeric() || character == '_');
    if trimmed.is_empty() || (kind == Text::Field && is_word) {
        return places;
    }
    let start = content.len() - content.trim_start().len();
    let splits =
        || special.control().flat_map(|token| token.char_indices().skip(1).map(|(at, _)| token.split_at(at)));
    if splits().any(|(_, right)| trimmed.starts_with(right) || right.starts_with(trimmed)) {
        places.insert(0, start);
    }
    if splits().any(|(left, _)| trimmed.ends_with(left)) {
        places.push(start + trimmed.len());
    }
    places
}

fn insert(content: &str, places: &[usize], marker: char) -> String {
    let mut defused = String::with_capacity(content.len() + places.len() * marker.len_utf8());
    let mut from = 0;
    for at in places {
        defused.push_str(&content[from..*at]);
        defused.push(marker);
        from = *at;
    }
    defused.push_str(&content[from..]);
    defused
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokens::{TokenKind, Tokens};

    fn special() -> SpecialTokens {
        let mut tokens = Tokens::default();
        for token in ["<|end|>", "<|end|><x>", "é>", "[/I]", "aba"] {
            tokens.push(token.as_bytes(), TokenKind::Control);
        }
        SpecialTokens::new(&tokens)
    }

    /// `M` in `expected` stands for the marker.
    #[track_caller]
    fn check(content: &str, expected: &str) {
        check_kind(Text::Content, content, expected);
    }

    #[track_caller]
    fn check_kind(kind: Text, content: &str, expected: &str) {
        let special = special();
        let defuser = Defuser::new(&[(kind, content)], "", &special).unwrap();
        let defused = defuser.defuse(kind, content);
        assert_eq!(defused, expected.replace('M', "\u{fdd0}"), "{content:?}");
        assert_eq!(defuser.restore(&defused), content);
    }

    #[test]
    fn a_word_of_a_value_stays_comparable() {
        for (field, expected) in [
            ("nd", "nd"),
            ("en", "en"),
            ("aba", "aMba"),
            ("x_aba", "x_aMba"),
            ("nd|", "Mnd|"),
            ("> x", "M> x"),
            ("x<|en d|>", "x<|en d|>"),
            ("x<|end|>y", "x<M|end|>y"),
        ] {
            check_kind(Text::Field, field, expected);
        }
    }

    #[test]
    fn markers_break_what_is_or_may_become_a_control_token() {
        for (content, expected) in [
            ("plain text, 3 < 4", "plain text, 3 < 4"),
            ("", ""),
            (" \n", " \n"),
            ("x <|end|> y", "x <M|end|> y"),
            // Once more behind it: it begins a longer one.
            (" <|end|>\n", " <M|end|>M\n"),
            ("x<|end|><x>y", "x<M|end|><x>y"),
            ("xé>y", "xéM>y"),
            // Two that overlap: either could be found once the other is broken.
            ("x ababa y", "x aMbaMba y"),
            // The end of a token, after structure that may be its start; and the other way round.
            ("> quoted", "M> quoted"),
            ("  |end|> x", "  M|end|> x"),
            ("x <|en \n", "x <|enM \n"),
            ("x[", "x[M"),
            // A token's middle.
            ("nd", "Mnd"),
            ("/", "M/"),
        ] {
            check(content, expected);
        }
    }

    #[test]
    fn the_marker_occurs_nowhere_else() {
        let all: String = ('\u{fdd0}'..='\u{fdef}').collect();
        let special = special();
        let marker = |contents: &[&str], template: &str| {
            let texts: Vec<(Text, &str)> = contents.iter().map(|text| (Text::Content, *text)).collect();
            Defuser::new(&texts, template, &special).map(|defuser| defuser.marker)
        };
        assert_eq!(marker(&["<|end|>"], ""), Ok(Some('\u{fdd0}')));
        assert_eq!(marker(&["<|end|>", "\u{fdd0}"], "\u{fdd1}"), Ok(Some('\u{fdd2}')));
        assert_eq!(marker(&["<|end|>", &all[..all.len() - 3]], ""), Ok(Some('\u{fdef}')));
        assert_eq!(marker(&["<|end|>", &all], ""), Err(ChatError::NoMarkerLeft));
        // Where there is nothing to protect, every character is welcome.
        assert_eq!(marker(&["<end>", &all], ""), Ok(None));
        let content = "\u{fdd0}<|end|>";
        let defuser = Defuser::new(&[(Text::Content, content)], "", &special).unwrap();
        assert_eq!(defuser.restore(&defuser.defuse(Text::Content, content)), content);
    }
}
