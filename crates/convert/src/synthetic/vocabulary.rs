//! A vocabulary of our own making, as large as is asked for: the 256 bytes, then all short words there could be.
//!
//! Words are made of the letters a to z, perhaps behind a space, and go by length: ` a`, ` b`, ..., `aa`, `ab`, ...
//! The beginning of each is a word, too, so that merging pairs gets to every one of them.

use std::fmt::Write;

/// What a word may begin with, and go on with but for the first.
const LETTERS: &[u8; 27] = b" abcdefghijklmnopqrstuvwxyz";

/// So many tokens, as lines of a token in base64 and its rank, which is how Meta's `tokenizer.model` has them.
pub(super) fn tiktoken(count: usize) -> Vec<u8> {
    let bytes = (0..=255).map(|byte| vec![byte]);
    let mut lines = String::new();
    for (rank, token) in bytes.chain(words()).take(count).enumerate() {
        // Writing to a `String` cannot fail.
        let _ = writeln!(lines, "{} {rank}", base64(&token));
    }
    lines.into_bytes()
}

/// Without end.
fn words() -> impl Iterator<Item = Vec<u8>> {
    (1..).flat_map(|letters| (0..27 * 26usize.pow(letters)).map(move |number| word(number, letters)))
}

/// The word of a number: a letter or a space, then so many letters.
fn word(mut number: usize, letters: u32) -> Vec<u8> {
    let mut word: Vec<u8> = Vec::with_capacity(letters as usize + 1);
    for _ in 0..letters {
        word.push(LETTERS[number % 26 + 1]);
        number /= 26;
    }
    word.push(LETTERS[number % 27]);
    word.reverse();
    word
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let bits = (0..3).fold(0u32, |bits, at| bits << 8 | group.get(at).map_or(0, |byte| u32::from(*byte)));
        for at in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * at) & 63) as usize];
            text.push(if at <= group.len() { char::from(digit) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_token_once_and_its_beginning_before_it() {
        let tokens: Vec<Vec<u8>> = (0..=255).map(|byte| vec![byte]).chain(words()).take(128_000).collect();
        let mut before: HashSet<&[u8]> = HashSet::new();
        for token in &tokens {
            let (beginning, end) = token.split_at(token.len() - 1);
            assert!(beginning.is_empty() || before.contains(beginning) && before.contains(end), "{token:?}");
            assert!(before.insert(token), "{token:?} twice");
        }
        assert_eq!(tokens[256..260], [b" a", b" b", b" c", b" d"].map(|word| word.to_vec()));
        assert_eq!(tokens.iter().map(Vec::len).max(), Some(4));
    }

    #[test]
    fn lines_are_as_in_metas_file() {
        let file = String::from_utf8(tiktoken(300)).unwrap();
        assert!(file.starts_with("AA== 0\nAQ== 1\n"), "{file}");
        assert!(file.contains("\nIQ== 33\n") && file.contains("\n/w== 255\nIGE= 256\n"), "{file}");
        assert_eq!(file.lines().count(), 300);
    }
}
