//! Ids in, whole characters out.
//!
//! A token may end in the middle of a character: an emoji can take four. Such bytes are held back until the rest comes.

use crate::Tokenizer;

/// The text of an answer as it is made.
#[derive(Debug)]
pub struct TextStream<'a> {
    tokenizer: &'a Tokenizer,
    /// The start of a character, at most three bytes.
    held: Vec<u8>,
}

impl<'a> TextStream<'a> {
    pub(crate) fn new(tokenizer: &'a Tokenizer) -> TextStream<'a> {
        TextStream { tokenizer, held: Vec::new() }
    }

    /// The characters that `id` completes; none for a control token. Bytes that are no UTF-8 become U+FFFD.
    pub fn push(&mut self, id: u32) -> String {
        if !self.tokenizer.is_control(id) {
            self.held.extend(self.tokenizer.bytes(id));
        }
        let whole = self.held.len() - unfinished(&self.held);
        let text = String::from_utf8_lossy(&self.held[..whole]).into_owned();
        self.held.drain(..whole);
        text
    }

    /// What is left when the answer ends: U+FFFD if it ends in the middle of a character.
    pub fn finish(&mut self) -> String {
        let text = String::from_utf8_lossy(&self.held).into_owned();
        self.held.clear();
        text
    }
}

/// How many bytes at the end may still become a character.
fn unfinished(bytes: &[u8]) -> usize {
    let last = bytes.utf8_chunks().last().map_or(&[][..], |chunk| chunk.invalid());
    match std::str::from_utf8(last) {
        Err(error) if error.error_len().is_none() => last.len(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use crate::tokenizer::tests::{tokenizer, vocabulary};

    /// Bytes are ids 0 to 255 in the test vocabulary, control tokens come behind.
    #[track_caller]
    fn check(ids: &[u32], expected: &[&str], rest: &str) {
        let tokenizer = tokenizer("llama-bpe");
        let mut stream = tokenizer.stream();
        let got: Vec<String> = ids.iter().map(|id| stream.push(*id)).collect();
        assert_eq!(
            (got.iter().map(String::as_str).collect::<Vec<_>>().as_slice(), stream.finish().as_str()),
            (expected, rest),
            "{ids:x?}"
        );
        assert_eq!(stream.finish(), "");
    }

    #[test]
    fn characters_come_whole() {
        check(&[b'a'.into(), b'b'.into()], &["a", "b"], "");
        check(&[0xf0, 0x9f, 0x99, 0x82, b'!'.into()], &["", "", "", "🙂", "!"], "");
        check(&[0xc3, 0xa9, 0xe6, 0x97, 0xa5], &["", "é", "", "", "日"], "");
    }

    #[test]
    fn bytes_that_are_no_text_become_replacements() {
        // Never right, wherever it stands: shown at once.
        check(&[0xff, b'a'.into()], &["\u{fffd}", "a"], "");
        check(&[0x82], &["\u{fffd}"], "");
        // The start of a character that something else interrupts.
        check(&[0xf0, 0x9f, b'a'.into()], &["", "", "\u{fffd}a"], "");
        check(&[0xf0, 0xf0, 0x9f, 0x99, 0x82], &["", "\u{fffd}", "", "", "🙂"], "");
        // The answer ends inside a character.
        check(&[b'a'.into(), 0xf0, 0x9f], &["a", "", ""], "\u{fffd}");
        // A surrogate is no character.
        check(&[0xed, 0xa0, 0x80], &["", "\u{fffd}\u{fffd}", "\u{fffd}"], "");
    }

    #[test]
    fn control_tokens_and_ids_beyond_the_vocabulary_give_nothing() {
        let vocabulary = vocabulary("llama-bpe");
        let control = vocabulary.tokens.iter().position(|token| token == "<|im_end|>").unwrap() as u32;
        check(&[b'a'.into(), control, u32::MAX, b'b'.into()], &["a", "", "", "b"], "");
        check(&[0xc3, control, 0xa9], &["", "", "é"], "");
    }
}
