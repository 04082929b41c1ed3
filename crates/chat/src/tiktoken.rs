//! Meta's `tokenizer.model`: tiktoken's ranks, a line each.
//!
//! ```text
//! IQ== 0          the token's bytes in base64, a space, its rank, which is its id
//! Ig== 1
//! ```
//!
//! Merges are implied: two tokens merge if their sum is a token, the one of the lowest rank first. The 256 control
//! tokens are not in the file. They come behind the ranks, in the order of Meta's `tokenizer.py` for Llama 3.1.

use std::collections::HashMap;
use std::ops::Range;

use crate::ChatError;
use crate::bpe::{Bpe, MAX_MERGES, Merge, WholeWords};
use crate::error::quote;
use crate::pre_tokenizer::{LLAMA_3, PreTokenizer};
use crate::tokenizer::{Tokenizer, TokenizerParts};
use crate::tokens::{MAX_TOKENS, TokenKind, Tokens};
use crate::vocabulary::byte_ids;

const FILE: &str = "tokenizer.model";

/// Llama 3's has 2.1 MiB.
const MAX_FILE_BYTES: usize = 16 * 1024 * 1024;

/// Llama 3's longest token has 128: each is tried at every place that it can be parted.
const MAX_TOKEN_BYTES: usize = 256;

/// Control tokens of Llama 3.1 that have a name of their own, by their place behind the ranks.
const NAMED: [(u32, &str); 8] = [
    (0, "<|begin_of_text|>"),
    (1, "<|end_of_text|>"),
    (4, "<|finetune_right_pad_id|>"),
    (6, "<|start_header_id|>"),
    (7, "<|end_header_id|>"),
    (8, "<|eom_id|>"),
    (9, "<|eot_id|>"),
    (10, "<|python_tag|>"),
];

const CONTROL_TOKENS: u32 = 256;

impl Tokenizer {
    /// Reads Meta's `tokenizer.model` of Llama 3, and adds Llama 3.1's control tokens.
    ///
    /// # Errors
    /// If a line is not a token and its rank, if ranks or tokens are missing or there twice, or if the file is of
    /// another kind, as Llama 2's is.
    pub fn from_tiktoken(file: &[u8]) -> Result<Tokenizer, ChatError> {
        let mut tokens = read(file)?;
        let merges = merges(&tokens)?;
        if let Some(byte) = byte_ids(&tokens).iter().position(Option::is_none) {
            return Err(damaged(format!("there is no token for the byte {byte:#04x}")));
        }
        let bpe = Bpe::new(&tokens, merges, WholeWords::First)?;
        let first = tokens.len() as u32;
        control_tokens().for_each(|name| tokens.push(name.as_bytes(), TokenKind::Control));
        Ok(Tokenizer::new(TokenizerParts {
            tokens,
            bpe,
            pre_tokenizer: PreTokenizer::new(&[LLAMA_3])?,
            bos_token_id: Some(first),
            eos_token_id: Some(first + 1),
            stop_ids: Vec::new(),
            add_bos_token: true,
        }))
    }
}

fn control_tokens() -> impl Iterator<Item = String> {
    let mut reserved = 0..;
    (0..CONTROL_TOKENS).map(move |place| match NAMED.iter().find(|(named, _)| *named == place) {
        Some((_, name)) => (*name).to_owned(),
        None => format!("<|reserved_special_token_{}|>", reserved.next().unwrap_or(place)),
    })
}

/// The tokens, by rank.
fn read(file: &[u8]) -> Result<Tokens, ChatError> {
    if file.len() > MAX_FILE_BYTES {
        return Err(damaged(format!("it has {} bytes, and at most {MAX_FILE_BYTES} are read", file.len())));
    }
    let (mut bytes, mut lines) = (Vec::new(), Vec::new());
    for (number, line) in (1..).zip(file.split(|byte| *byte == b'\n')) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if !line.is_empty() {
            let start = bytes.len();
            let rank = read_line(line, &mut bytes).map_err(|what| at_line(number, line, what))?;
            lines.push((rank, start..bytes.len()));
        }
    }
    lines.sort_by_key(|(rank, _)| *rank);
    check_ranks(&lines)?;
    let mut tokens = Tokens::default();
    for (_, range) in lines {
        tokens.push(&bytes[range], TokenKind::Normal);
    }
    Ok(tokens)
}

/// Appends a line's token to `bytes`, and returns its rank.
fn read_line(line: &[u8], bytes: &mut Vec<u8>) -> Result<u32, &'static str> {
    let start = bytes.len();
    let space = line.iter().position(|byte| *byte == b' ').ok_or("a space between token and rank")?;
    decode_base64(&line[..space], bytes).ok_or("a token in base64")?;
    if !(1..=MAX_TOKEN_BYTES).contains(&(bytes.len() - start)) {
        return Err("a token of 1 to 256 bytes");
    }
    let rank = std::str::from_utf8(&line[space + 1..]).ok().filter(|rank| {
        // Rust reads `+7` too.
        rank.bytes().all(|byte| byte.is_ascii_digit())
    });
    rank.and_then(|rank| rank.parse().ok()).ok_or("a rank below 2^32")
}

fn check_ranks(lines: &[(u32, Range<usize>)]) -> Result<(), ChatError> {
    if lines.len() > MAX_TOKENS - CONTROL_TOKENS as usize {
        return Err(damaged(format!("it has {} tokens, and at most {MAX_TOKENS} are read", lines.len())));
    }
    for (expected, (rank, _)) in (0..).zip(lines) {
        if *rank < expected {
            return Err(damaged(format!("the rank {rank} is there twice")));
        }
        if *rank > expected {
            return Err(damaged(format!("the rank {expected} is missing")));
        }
    }
    Ok(())
}

/// Each way to part a token in two, in the order of the tokens. tiktoken prefers none of a token's ways; a list of
/// merges has to, and this is the order in which Hugging Face's conversion of the same file puts them.
fn merges(tokens: &Tokens) -> Result<Vec<Merge>, ChatError> {
    let mut ids: HashMap<&[u8], u32> = HashMap::with_capacity(tokens.len());
    for id in tokens.ids() {
        if let Some(first) = ids.insert(tokens.bytes(id), id) {
            return Err(damaged(format!("the ranks {first} and {id} are of the same token")));
        }
    }
    let mut merges = Vec::new();
    for merged in tokens.ids() {
        let (bytes, first) = (tokens.bytes(merged), merges.len());
        for (left, right) in (1..bytes.len()).map(|at| bytes.split_at(at)) {
            if let (Some(left), Some(right)) = (ids.get(left), ids.get(right)) {
                merges.push(Merge { left: *left, right: *right, merged });
            }
        }
        merges[first..].sort_unstable_by_key(|merge| (merge.left, merge.right));
        if merges.len() > MAX_MERGES {
            return Err(damaged(format!("its tokens merge in more than {MAX_MERGES} ways")));
        }
    }
    Ok(merges)
}

/// Appends what `text` stands for: groups of four characters, the last filled up with `=`.
fn decode_base64(text: &[u8], bytes: &mut Vec<u8>) -> Option<()> {
    if !text.len().is_multiple_of(4) {
        return None;
    }
    let filled = text.iter().rev().take(2).take_while(|byte| **byte == b'=').count();
    let (mut bits, mut count) = (0u32, 0);
    for byte in &text[..text.len() - filled] {
        let six = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(six);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    // What is left over says nothing, and must not try to.
    (bits == 0).then_some(())
}

fn at_line(number: usize, line: &[u8], expected: &str) -> ChatError {
    // Llama 2's file of the same name is a SentencePiece model, which begins with a field of 3 to 6 bytes.
    if number == 1 && line.first().is_some_and(|byte| *byte < b'+') {
        return damaged("expected lines of a token and its rank, found binary data; Llama 2's file of that name is of another kind, and is not supported".into());
    }
    let found = quote(&String::from_utf8_lossy(&line[..line.len().min(320)]));
    damaged(format!("line {number}: expected {expected}, found {found}"))
}

fn damaged(detail: String) -> ChatError {
    ChatError::TokenizerFile { file: FILE, detail }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encode_base64(bytes: &[u8]) -> String {
        const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let mut text = String::new();
        for group in bytes.chunks(3) {
            let bits =
                (0..3).fold(0u32, |bits, at| bits << 8 | group.get(at).map_or(0, |byte| u32::from(*byte)));
            for at in 0..4 {
                let digit = DIGITS[(bits >> (18 - 6 * at) & 63) as usize];
                text.push(if at <= group.len() { char::from(digit) } else { '=' });
            }
        }
        text
    }

    /// The 256 bytes, then what `more` adds.
    fn file(more: &[&str]) -> String {
        let bytes = (0..=255u8).map(|byte| vec![byte]);
        let tokens = bytes.chain(more.iter().map(|token| token.as_bytes().to_vec()));
        (0..)
            .zip(tokens)
            .map(|(rank, token): (u32, _)| format!("{} {rank}\n", encode_base64(&token)))
            .collect()
    }

    #[test]
    fn base64_is_read_as_it_is_written() {
        for bytes in [&b"a"[..], b"ab", b"abc", b"abcd", b"\xff\xfe\x00", b"", b"\x00\x10\x83\xfb\xf0"] {
            let (text, mut read) = (encode_base64(bytes), Vec::new());
            assert_eq!(decode_base64(text.as_bytes(), &mut read), Some(()), "{text}");
            assert_eq!(read, bytes, "{text}");
        }
        for text in
            ["a", "ab", "abc", "ab=", "a===", "====", "ab=c", "ab==ab==", "YR==", "YWJ=", "ab-_", "a b="]
        {
            assert_eq!(decode_base64(text.as_bytes(), &mut Vec::new()), None, "{text}");
        }
    }

    #[test]
    fn the_lowest_rank_merges_first() {
        let tokenizer = Tokenizer::from_tiktoken(file(&["bc", "ab", "abc", "cd", "xyz"]).as_bytes()).unwrap();
        for (text, expected) in [
            ("ab", vec![257]),
            ("abc", vec![258]),
            // Not a word of its own, so by merging: `bc` is better than `ab`, then `a bc` makes `abc`.
            ("abcabc", vec![258, 258]),
            ("abcd", vec![258, 100]),
            ("cd", vec![259]),
            // A word that no merge makes.
            ("xyz", vec![260]),
            ("xyzz", vec![120, 121, 122, 122]),
        ] {
            assert_eq!(tokenizer.encode(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn control_tokens_come_behind_the_ranks() {
        let tokenizer = Tokenizer::from_tiktoken(file(&["ab"]).as_bytes()).unwrap();
        assert_eq!((tokenizer.vocab_size(), tokenizer.bos_before_text()), (513, Some(257)));
        assert_eq!(tokenizer.stop_ids(), [258, 265, 266]);
        let text = "<|begin_of_text|>ab<|python_tag|><|reserved_special_token_247|>";
        assert_eq!(tokenizer.encode_with_special(text), Ok(vec![257, 256, 267, 512]));
        assert!(tokenizer.encode(text).unwrap().iter().all(|id| *id <= 256));
        let names: Vec<String> = control_tokens().collect();
        assert_eq!(
            names[2..6],
            [
                "<|reserved_special_token_0|>",
                "<|reserved_special_token_1|>",
                "<|finetune_right_pad_id|>",
                "<|reserved_special_token_2|>"
            ]
        );
        assert_eq!(names[11], "<|reserved_special_token_3|>");
    }

    #[test]
    fn lines_may_end_as_on_windows_and_come_in_any_order() {
        let turned: Vec<String> = file(&["ab"]).lines().rev().map(|line| format!("{line}\r\n")).collect();
        let tokenizer = Tokenizer::from_tiktoken(turned.concat().as_bytes()).unwrap();
        assert_eq!(tokenizer.encode("ab"), Ok(vec![256]));
    }

    #[test]
    fn a_damaged_file_is_refused_with_a_sentence() {
        let whole = file(&["ab", "abc"]);
        let line = |number: usize, with: &str| {
            let lines: Vec<&str> = whole
                .lines()
                .enumerate()
                .map(|(n, line)| if n + 1 == number { with } else { line })
                .collect();
            lines.join("\n")
        };
        let long = encode_base64(&[b'a'; 257]);
        for (text, detail) in [
            (line(3, "Ag== x"), "line 3: expected a rank below 2^32, found \"Ag== x\""),
            (line(3, "Ag== +2"), "line 3: expected a rank below 2^32, found \"Ag== +2\""),
            (line(3, "Ag== 2 "), "line 3: expected a rank below 2^32, found \"Ag== 2 \""),
            (line(3, "Ag== -1"), "line 3: expected a rank below 2^32, found \"Ag== -1\""),
            (line(3, "Ag== 4294967296"), "line 3: expected a rank below 2^32, found \"Ag== 4294967296\""),
            (line(3, "Ag== "), "line 3: expected a rank below 2^32, found \"Ag== \""),
            (line(3, "Ag==2"), "line 3: expected a space between token and rank, found \"Ag==2\""),
            (line(3, "Ag= 2"), "line 3: expected a token in base64, found \"Ag= 2\""),
            (line(3, "A*== 2"), "line 3: expected a token in base64, found \"A*== 2\""),
            (line(3, " 2"), "line 3: expected a token of 1 to 256 bytes, found \" 2\""),
            (
                line(3, &format!("{long} 2")),
                "line 3: expected a token of 1 to 256 bytes, found \"YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFh\"",
            ),
            (line(3, "Ag== 1"), "the rank 1 is there twice"),
            (line(3, ""), "the rank 2 is missing"),
            (line(3, "AQ== 2"), "the ranks 1 and 2 are of the same token"),
            (line(3, "AgI= 2"), "there is no token for the byte 0x02"),
            (whole[..whole.len() - 4].to_owned(), "line 258: expected a rank below 2^32, found \"YWJj \""),
            (String::new(), "there is no token for the byte 0x00"),
            ("<html>".into(), "line 1: expected a space between token and rank, found \"<html>\""),
            (
                "\n\u{e}\n\u{5}<unk>".into(),
                "line 2: expected a space between token and rank, found \"\\u{e}\"",
            ),
            (
                "\u{e}\n".into(),
                "expected lines of a token and its rank, found binary data; Llama 2's file of that name is of another kind, and is not supported",
            ),
        ] {
            let error = Tokenizer::from_tiktoken(text.as_bytes()).map(|_| ()).unwrap_err();
            assert_eq!(error, damaged(detail.into()), "{text:.40}");
            assert!(error.to_string().starts_with("The model's tokenizer.model is damaged: "));
        }
        let huge = vec![b'\n'; MAX_FILE_BYTES + 1];
        assert!(Tokenizer::from_tiktoken(&huge).is_err());
    }

    #[test]
    fn no_bytes_make_it_panic() {
        let whole = file(&["ab", "abc"]).into_bytes();
        for at in (0..whole.len()).step_by(7) {
            for other in [b' ', b'\n', b'=', b'9', 0xff] {
                let mut changed = whole.clone();
                changed[at] = other;
                let _ = Tokenizer::from_tiktoken(&changed).map(|tokenizer| tokenizer.encode("abc <x>"));
                let _ = Tokenizer::from_tiktoken(&changed[..at]);
            }
        }
    }
}
