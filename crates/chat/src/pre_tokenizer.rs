//! Pre-tokenizers: text is cut into words before merging, and each model's training decided how.
//!
//! | name | cuts |
//! |---|---|
//! | `llama-bpe` | Llama 3's expression: digits by three, line feeds stay with what is before them |
//! | `smollm` | every digit alone, then as GPT-2 |
//! | `gpt-2` | GPT-2's expression: letters, digits, the rest, each with the space before it |

use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::digits::Digits;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{PreTokenizer as _, SplitDelimiterBehavior};

use crate::ChatError;

/// Llama 3's, as Meta publishes it.
const LLAMA_3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

const SUPPORTED: &str = "llama-bpe (llama3, llama-v3), smollm, gpt-2 (gpt2)";

/// How a model's text is cut into words.
#[derive(Debug, Clone)]
pub(crate) struct PreTokenizer {
    steps: PreTokenizerWrapper,
    /// Whether a word that is a token stays whole, whatever the merges would make of it.
    pub(crate) ignore_merges: bool,
}

impl PreTokenizer {
    /// By llama.cpp's name for it.
    pub(crate) fn by_name(name: &str) -> Result<PreTokenizer, ChatError> {
        let no_prefix_space = ByteLevel::default().add_prefix_space(false);
        let gpt_2 = PreTokenizerWrapper::from(no_prefix_space);
        match name {
            "llama-bpe" | "llama3" | "llama-v3" => {
                let pattern = SplitPattern::Regex(LLAMA_3.into());
                let words = Split::new(pattern, SplitDelimiterBehavior::Isolated, false);
                let words = words.map_err(ChatError::tokenizer)?.into();
                let steps = Sequence::new(vec![words, no_prefix_space.use_regex(false).into()]).into();
                Ok(PreTokenizer { steps, ignore_merges: true })
            }
            "smollm" => {
                let steps = Sequence::new(vec![Digits::new(true).into(), gpt_2]).into();
                Ok(PreTokenizer { steps, ignore_merges: false })
            }
            "gpt-2" | "gpt2" => Ok(PreTokenizer { steps: gpt_2, ignore_merges: false }),
            other => {
                let found = other.chars().take(80).collect();
                Err(ChatError::PreTokenizer { found, supported: SUPPORTED.into() })
            }
        }
    }

    /// Cuts `text`, and writes it in GPT-2's alphabet.
    pub(crate) fn cut(&self, text: &str) -> Result<tokenizers::PreTokenizedString, ChatError> {
        let mut words = tokenizers::PreTokenizedString::from(text);
        self.steps.pre_tokenize(&mut words).map_err(ChatError::tokenizer)?;
        Ok(words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokenizers::{OffsetReferential, OffsetType};

    #[track_caller]
    fn check(name: &str, rows: &[(&str, &[&str])]) {
        let pre_tokenizer = PreTokenizer::by_name(name).unwrap();
        for (text, expected) in rows {
            let words = pre_tokenizer.cut(text).unwrap();
            let cut = words.get_splits(OffsetReferential::Original, OffsetType::Byte);
            let cut: Vec<&str> = cut.iter().map(|(_, range, _)| &text[range.0..range.1]).collect();
            assert_eq!(cut, *expected, "{name}: {text:?}");
        }
    }

    /// Rows where the three differ, as tiktoken and transformers cut them.
    #[test]
    fn each_cuts_in_its_own_way() {
        check(
            "llama-bpe",
            &[
                ("Hello world", &["Hello", " world"]),
                ("12345 6", &["123", "45", " ", "6"]),
                ("I'LL don't x'ſ", &["I", "'LL", " don", "'t", " x", "'ſ"]),
                ("a  b\n\n  c", &["a", " ", " b", "\n\n", " ", " c"]),
                ("x.\r\ny", &["x", ".\r\n", "y"]),
                ("(a)", &["(a", ")"]),
                ("日本 語", &["日本", " 語"]),
                ("  ", &["  "]),
            ],
        );
        check(
            "smollm",
            &[
                ("Hello world", &["Hello", " world"]),
                ("12345 6", &["1", "2", "3", "4", "5", " ", "6"]),
                ("I'LL don't", &["I", "'", "LL", " don", "'t"]),
                ("a  b\n\n  c", &["a", " ", " b", "\n\n ", " c"]),
                ("½x", &["½", "x"]),
            ],
        );
        check(
            "gpt-2",
            &[
                ("12345 6", &["12345", " 6"]),
                ("(a)", &["(", "a", ")"]),
                ("x.\r\ny", &["x", ".", "\r", "\n", "y"]),
            ],
        );
        let same = |name: &str| PreTokenizer::by_name(name).unwrap();
        for (name, alias) in [("llama-bpe", "llama3"), ("llama-bpe", "llama-v3"), ("gpt-2", "gpt2")] {
            assert_eq!(same(name).steps, same(alias).steps);
            assert_eq!(same(name).ignore_merges, same(alias).ignore_merges);
        }
    }

    #[test]
    fn unknown_names_are_refused_by_name() {
        for name in ["default", "", "qwen2", "LLAMA-BPE"] {
            let error = PreTokenizer::by_name(name).unwrap_err();
            assert_eq!(error, ChatError::PreTokenizer { found: name.into(), supported: SUPPORTED.into() });
        }
    }
}
