//! Splitting text into words before merging: no merge reaches across a word.
//!
//! Each model was trained with an expression of its own, which GGUF names as llama.cpp does.
//! Another's would give ids that read well and are slightly wrong, so unknown names are refused.

use tokenizers::utils::SysRegex;

use crate::ChatError;
use crate::error::quote;

/// Llama 3's, as Meta writes it. `(?i:'s)` also takes the long s, which an ASCII class would miss.
const LLAMA_3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// GPT-2's.
const GPT_2: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

/// Longest run of white space, or of anything else, that is looked at in one go; Meta's tokenizer has the same bound.
const MAX_RUN: usize = 25_000;

const SUPPORTED: &str = "llama-bpe, llama3, llama-v3, smollm, gpt-2 and gpt2";

/// A splitter by name.
#[derive(Debug)]
pub(crate) struct PreTokenizer {
    words: SysRegex,
    digits: Digits,
    /// Whether a word that is a token as it stands is taken whole, whatever the merges say.
    pub(crate) whole_words_first: bool,
}

/// What happens to digits before words are looked for.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Digits {
    /// The expression sees them.
    InWords,
    /// Each is a word.
    Apart,
}

impl PreTokenizer {
    pub(crate) fn named(name: &str) -> Result<PreTokenizer, ChatError> {
        let (pattern, digits, whole_words_first) = match name {
            "llama-bpe" | "llama3" | "llama-v3" => (LLAMA_3, Digits::InWords, true),
            "smollm" => (GPT_2, Digits::Apart, false),
            "gpt-2" | "gpt2" => (GPT_2, Digits::InWords, false),
            _ => return Err(ChatError::PreTokenizer { found: quote(name), supported: SUPPORTED.to_string() }),
        };
        let words = SysRegex::new(pattern).map_err(|error| ChatError::Bpe { reason: error.to_string() })?;
        Ok(PreTokenizer { words, digits, whole_words_first })
    }

    /// The words of `text`, in order; together they are the text.
    pub(crate) fn split<'t>(&self, text: &'t str) -> Result<Vec<&'t str>, ChatError> {
        let mut words = Vec::new();
        for run in cut(text, bounded_run_ends(text)) {
            match self.digits {
                Digits::InWords => self.split_words(run, text, &mut words)?,
                Digits::Apart => {
                    for part in cut(run, digit_ends(run)) {
                        self.split_words(part, text, &mut words)?;
                    }
                }
            }
        }
        Ok(words)
    }

    fn split_words<'t>(&self, part: &'t str, text: &str, words: &mut Vec<&'t str>) -> Result<(), ChatError> {
        let mut done = 0;
        for (start, end) in self.words.find_iter(part) {
            // Every character belongs to some alternative: a gap means that the engine gave up.
            if start != done {
                break;
            }
            words.extend(part.get(start..end));
            done = end;
        }
        if done == part.len() {
            return Ok(());
        }
        Err(ChatError::Unsplittable { at: part.as_ptr().addr() - text.as_ptr().addr() + done })
    }
}

/// The stretches of `text` between `ends`, and what follows the last.
fn cut(text: &str, ends: impl Iterator<Item = usize>) -> impl Iterator<Item = &str> {
    let mut start = 0;
    ends.chain([text.len()]).filter_map(move |end| {
        let part = text.get(start..end).filter(|part| !part.is_empty());
        start = end;
        part
    })
}

/// Where runs reach their bound.
fn bounded_run_ends(text: &str) -> impl Iterator<Item = usize> {
    let mut space = false;
    let mut run = 0;
    text.char_indices().filter_map(move |(at, character)| {
        if character.is_whitespace() == space {
            run += 1;
        } else {
            space = !space;
            run = 1;
        }
        (run > MAX_RUN).then(|| {
            run = 1;
            at
        })
    })
}

/// Before and behind each digit, of any script.
fn digit_ends(text: &str) -> impl Iterator<Item = usize> {
    let digits = text.char_indices().filter(|(_, character)| character.is_numeric());
    digits.flat_map(|(at, digit)| [at, at + digit.len_utf8()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, text: &str, expected: &[&str]) {
        assert_eq!(PreTokenizer::named(name).unwrap().split(text).unwrap(), expected, "{name}: {text:?}");
    }

    #[test]
    fn words_are_the_trainer_s() {
        check("llama-bpe", "Hello  world!\n\nIT'S 12345 ", &["Hello", " ", " world", "!\n\n", "IT", "'S", " ", "123", "45", " "]);
        check("llama-bpe", "don't.x(y)", &["don", "'t", ".x", "(y", ")"]);
        check("llama-bpe", "a'\u{17f}b", &["a", "'\u{17f}", "b"]);
        check("llama-bpe", "a \n \n b", &["a", " \n \n", " b"]);
        check("gpt-2", "It's  12345 x\n\ny", &["It", "'s", " ", " 12345", " x", "\n", "\n", "y"]);
        check("gpt-2", "IT'S", &["IT", "'", "S"]);
        check("smollm", "a  12b 3", &["a", "  ", "1", "2", "b", " ", "3"]);
        check("smollm", "x ½٣", &["x", " ", "½", "٣"]);
        check("smollm", "", &[]);
        check("llama-v3", "नमस्ते", &["नमस", "्त", "े"]);
    }

    #[test]
    fn long_runs_are_bounded_and_nothing_is_lost() {
        let letters = "a".repeat(100_000);
        let spaces = " ".repeat(25_000);
        let lines = "\n".repeat(60_001);
        let dashes = "-".repeat(25_001);
        let mixed = format!("{spaces}{spaces}x{lines}{dashes}");
        for name in ["llama-bpe", "smollm", "gpt-2"] {
            let pre_tokenizer = PreTokenizer::named(name).unwrap();
            for text in [&letters, &spaces, &lines, &dashes, &mixed] {
                let words = pre_tokenizer.split(text).unwrap();
                assert_eq!(words.concat().len(), text.len(), "{name}");
                assert!(words.iter().all(|word| word.chars().count() <= MAX_RUN + 1), "{name}");
            }
        }
        check("llama-bpe", &letters[..MAX_RUN + 1], &[&letters[..MAX_RUN], "a"]);
    }

    #[test]
    fn unknown_names_are_refused_with_the_list() {
        let error = PreTokenizer::named("qwen2").unwrap_err();
        let expected = format!("the model's pre-tokenizer \"qwen2\" isn't supported; supported are {SUPPORTED}");
        assert_eq!(error.to_string(), expected);
    }
}
