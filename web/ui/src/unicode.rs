//! Characters that hide or reorder text, taken out or made visible before anything is shown.
//!
//! A model's answer may carry a document's words, and those may carry text that a person cannot see:
//! tag characters spell out ASCII invisibly, bidirectional overrides turn `gpj.exe` into `exe.jpg`.
//!
//! | characters | what is shown |
//! |---|---|
//! | tags U+E0000–E007F, supplementary variation selectors U+E0100–E01EF | one mark for each run |
//! | bidirectional embeddings, overrides, isolates | one mark for each run |
//! | zero-width space and joiners of words, soft hyphen, fillers, direction marks, control characters | nothing |
//! | zero-width joiner and non-joiner, variation selectors 1–16 | themselves: emoji, Hindi and Persian need them |

use std::borrow::Cow;
use std::fmt::Write;

/// `text` as it may be shown: nothing in it is invisible or changes the order of its neighbours.
pub(crate) fn reveal(text: &str) -> Cow<'_, str> {
    if text.chars().all(|c| treatment(c) == Treatment::Keep) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    let mut hidden_run = 0usize;
    for c in text.chars() {
        let treatment = treatment(c);
        if treatment == Treatment::Mark {
            hidden_run += 1;
            continue;
        }
        write_mark(&mut shown, &mut hidden_run);
        if treatment == Treatment::Keep {
            shown.push(c);
        }
    }
    write_mark(&mut shown, &mut hidden_run);
    Cow::Owned(shown)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Treatment {
    Keep,
    Drop,
    Mark,
}

fn treatment(c: char) -> Treatment {
    match c {
        '\n' | '\t' => Treatment::Keep,
        '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' => Treatment::Mark,
        '\u{E0000}'..='\u{E007F}' | '\u{E0100}'..='\u{E01EF}' => Treatment::Mark,
        '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}' => {
            Treatment::Drop
        }
        '\u{180B}'..='\u{180E}' | '\u{200B}' | '\u{200E}' | '\u{200F}' => Treatment::Drop,
        '\u{2028}' | '\u{2029}' | '\u{2060}'..='\u{2065}' | '\u{206A}'..='\u{206F}' => Treatment::Drop,
        '\u{3164}' | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF9}'..='\u{FFFB}' => Treatment::Drop,
        _ if c.is_control() => Treatment::Drop,
        _ => Treatment::Keep,
    }
}

/// Says that `run` hidden characters stood here. The brackets mean nothing in Markdown.
fn write_mark(shown: &mut String, run: &mut usize) {
    match *run {
        0 => {}
        1 => shown.push_str("⟦1 hidden character⟧"),
        // Writing to a String cannot fail.
        many => drop(write!(shown, "⟦{many} hidden characters⟧")),
    }
    *run = 0;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_text_is_shown_or_removed() {
        for (text, expected) in [
            ("plain\n\ttext", "plain\n\ttext"),
            ("in\u{200B}visi\u{AD}ble\u{FEFF}", "invisible"),
            ("invoice\u{202E}gpj.exe", "invoice⟦1 hidden character⟧gpj.exe"),
            ("a\u{E0068}\u{E0069}b", "a⟦2 hidden characters⟧b"),
            ("end\u{2066}\u{2069}", "end⟦2 hidden characters⟧"),
            ("bell\u{7}\r\n", "bell\n"),
            // What scripts need stays.
            (
                "👩\u{200D}🚀 ❤\u{FE0F} क्\u{200D}ष می\u{200C}خواهم",
                "👩\u{200D}🚀 ❤\u{FE0F} क्\u{200D}ष می\u{200C}خواهم",
            ),
            ("", ""),
        ] {
            assert_eq!(reveal(text), expected, "{text:?}");
        }
    }

    #[test]
    fn ordinary_text_is_not_copied() {
        assert!(matches!(reveal("Guten Tag, שלום, नमस्ते"), Cow::Borrowed(_)));
    }
}
