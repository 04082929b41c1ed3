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

/// Contents that a template may render, and the marker that was put into them.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Defused {
    pub(crate) contents: Vec<String>,
    marker: Option<char>,
}

impl Defused {
    /// `template` is the template's text, which must not have the marker either.
    pub(crate) fn new(
        contents: &[&str],
        template: &str,
        special: &SpecialTokens,
    ) -> Result<Defused, ChatError> {
        let places: Vec<Vec<usize>> = contents.iter().map(|content| places(content, special)).collect();
        if places.iter().all(Vec::is_empty) {
            let contents = contents.iter().map(|content| (*content).to_owned()).collect();
            return Ok(Defused { contents, marker: None });
        }
        let occurs = |marker: &char| {
            let mut texts = contents.iter().copied().chain([template]).chain(special.control());
            texts.any(|text| text.contains(*marker))
        };
        let marker =
            ('\u{fdd0}'..='\u{fdef}').find(|marker| !occurs(marker)).ok_or(ChatError::NoMarkerLeft)?;
        let contents =
            contents.iter().zip(places).map(|(content, places)| insert(content, &places, marker)).collect();
        Ok(Defused { contents, marker: Some(marker) })
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
fn places(content: &str, special: &SpecialTokens) -> Vec<usize> {
    let inside = content.char_indices().filter(|(at, _)| special.at(content, *at, Look::Control).is_some());
    let mut places: Vec<usize> = inside.map(|(at, first)| at + first.len_utf8()).collect();
    // Templates trim. White space is in no control token that is looked for, so it needs no marker.
    let trimmed = content.trim();
    if trimmed.is_empty() {
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
        let defused = Defused::new(&[content], "", &special()).unwrap();
        assert_eq!(defused.contents, [expected.replace('M', "\u{fdd0}")], "{content:?}");
        assert_eq!(defused.restore(&defused.contents[0]), content);
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
        let defuse = |contents: &[&str], template: &str| Defused::new(contents, template, &special());
        let marker =
            |contents: &[&str], template: &str| defuse(contents, template).map(|defused| defused.marker);
        assert_eq!(marker(&["<|end|>"], ""), Ok(Some('\u{fdd0}')));
        assert_eq!(marker(&["<|end|>", "\u{fdd0}"], "\u{fdd1}"), Ok(Some('\u{fdd2}')));
        assert_eq!(marker(&["<|end|>", &all[..all.len() - 3]], ""), Ok(Some('\u{fdef}')));
        assert_eq!(marker(&["<|end|>", &all], ""), Err(ChatError::NoMarkerLeft));
        // Where there is nothing to protect, every character is welcome.
        assert_eq!(marker(&["<end>", &all], ""), Ok(None));
        let defused = defuse(&["\u{fdd0}<|end|>"], "").unwrap();
        assert_eq!(defused.restore(&defused.contents[0]), "\u{fdd0}<|end|>");
    }
}
