//! Text out of a stream of ids: whole characters only.
//!
//! A character may be spread over up to four tokens. Its bytes are held back until it is whole,
//! or until it is clear that it never will be; then U+FFFD stands for them, as in `String::from_utf8_lossy`.

use std::sync::Arc;

use crate::token_table::{Kind, TokenTable};

/// The text of an answer while it comes. Control tokens give no text.
#[derive(Debug, Clone)]
pub struct TextStream {
    table: Arc<TokenTable>,
    /// The beginning of a character: at most three bytes between two calls.
    held: Vec<u8>,
}

impl TextStream {
    pub(crate) fn new(table: Arc<TokenTable>) -> TextStream {
        TextStream { table, held: Vec::new() }
    }

    /// The characters that a token completes; maybe none.
    pub fn push(&mut self, id: u32) -> String {
        if self.table.kind(id) == Some(Kind::Control) {
            return String::new();
        }
        self.held.extend(self.table.bytes(id));
        let mut text = String::new();
        let mut done = 0;
        for chunk in self.held.utf8_chunks() {
            text.push_str(chunk.valid());
            done += chunk.valid().len();
            let rest = self.held.get(done..).unwrap_or_default();
            if !chunk.invalid().is_empty() && is_beginning(rest) {
                break;
            }
            if !chunk.invalid().is_empty() {
                text.push(char::REPLACEMENT_CHARACTER);
            }
            done += chunk.invalid().len();
        }
        self.held.drain(..done);
        text
    }

    /// What is left of a character that never became whole.
    pub fn finish(&mut self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.held)).into_owned()
    }
}

/// Whether more bytes could make `bytes` a character.
fn is_beginning(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_err_and(|error| error.valid_up_to() == 0 && error.error_len().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::byte_level;

    /// A stream over a vocabulary of the 256 bytes and one control token, 256.
    #[track_caller]
    fn check(ids: &[u32], expected: &[&str], left: &str) {
        let mut tokens: Vec<String> = (0..=255).map(|byte| byte_level::character(byte).to_string()).collect();
        tokens.push("<|im_end|>".to_string());
        let mut types = vec![1; 256];
        types.push(3);
        let mut stream = TextStream::new(Arc::new(TokenTable::new(&tokens, &types)));
        let pieces: Vec<String> = ids.iter().map(|id| stream.push(*id)).collect();
        assert_eq!(pieces, expected, "{ids:?}");
        assert_eq!(stream.finish(), left, "{ids:?}");
        assert_eq!(stream.finish(), "", "finished twice");
    }

    #[test]
    fn characters_come_whole() {
        check(&[0xf0, 0x9f, 0x98, 0x80, 0x61], &["", "", "", "😀", "a"], "");
        check(&[0xc3, 0xa4, 0xe2, 0x82, 0xac], &["", "ä", "", "", "€"], "");
        check(&[], &[], "");
    }

    #[test]
    fn bytes_that_are_no_text_are_replaced_as_soon_as_that_is_clear() {
        check(&[0xff, 0x61], &["\u{fffd}", "a"], "");
        check(&[0x80, 0x80], &["\u{fffd}", "\u{fffd}"], "");
        check(&[0xf0, 0x9f, 0x61], &["", "", "\u{fffd}a"], "");
        check(&[0xe2, 0xe2, 0x82, 0xac], &["", "\u{fffd}", "", "€"], "");
        // An overlong slash and half a surrogate pair.
        check(&[0xc0, 0xaf], &["\u{fffd}", "\u{fffd}"], "");
        check(&[0xed, 0xa0, 0x80], &["", "\u{fffd}\u{fffd}", "\u{fffd}"], "");
    }

    #[test]
    fn what_never_became_whole_is_left_for_the_end() {
        check(&[0x61, 0xf0, 0x9f, 0x98], &["a", "", "", ""], "\u{fffd}");
        check(&[0xc3], &[""], "\u{fffd}");
    }

    #[test]
    fn control_tokens_and_unknown_ids_give_nothing() {
        check(&[0x61, 256, 0x62, 257, u32::MAX], &["a", "", "b", "", ""], "");
        check(&[0xc3, 256, 0xa4], &["", "", "ä"], "");
    }
}
