//! Pre-tokenizers: text is cut into words before merging, and each model's training decided how.
//!
//! A pre-tokenizer is a list of regular expressions. Each cuts the words of the one before: its matches are words,
//! and so is what lies between two of them.

use crate::ChatError;
use crate::bpe::WholeWords;
use crate::budget::Budget;
use crate::expression::{self, Expression};

/// Most expressions of one pre-tokenizer; the longest list in use has six.
const MAX_STEPS: usize = 16;

/// Llama 3's, as Meta publishes it: digits by three, line feeds stay with what is before them.
pub(crate) const LLAMA_3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// GPT-2's, which `ByteLevel` has in Hugging Face's files: letters, digits, the rest, each with the space before it.
pub(crate) const GPT_2: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

/// Every digit alone.
pub(crate) const EACH_DIGIT: &str = r"\p{N}";

/// Runs of digits.
pub(crate) const DIGITS: &str = r"\p{N}+";

/// As Llama 3's, but every digit alone.
const QWEN_2: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// Words break before a capital letter that follows a small one; a slash stays with what is before it.
const TEKKEN: &str = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// As Tekken's, with contractions, and digits by three.
const GPT_4O: &str = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// As Llama 3's, but every digit alone, and line feeds apart from what is before them.
const SEED_CODER: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1}| ?[^\s\p{L}\p{N}\r\n]+|\s*[\r\n]+|\s+(?!\S)|\s+";

/// As Llama 3's behind a step that cuts digits by three.
const MINI_CPM_5: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}+| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

const DEEPSEEK_V3: &str = r##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"##;

/// Runs of anything but white space and BLOOM's punctuation.
const BLOOM: &str = r" ?[^(\s|.,!?…。，、।۔،)]+";

/// Pre-tokenizers that GGUF files name, by llama.cpp's names and with its lists (`llama-vocab.cpp`); where it has
/// rewritten an expression for its own engine, with the original that it quotes.
struct Known {
    names: &'static [&'static str],
    expressions: &'static [&'static str],
    whole_words: WholeWords,
}

const KNOWN: [Known; 17] = [
    Known {
        names: &["llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2"],
        expressions: &[LLAMA_3],
        whole_words: WholeWords::First,
    },
    Known {
        names: &["dbrx", "smaug-bpe", "glm4", "chatglm-bpe"],
        expressions: &[LLAMA_3],
        whole_words: WholeWords::ByMerging,
    },
    Known {
        names: &["smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b"],
        expressions: &[EACH_DIGIT, GPT_2],
        whole_words: WholeWords::ByMerging,
    },
    Known {
        names: &[
            "gpt-2",
            "gpt2",
            "phi-2",
            "mpt",
            "olmo",
            "jais",
            "trillion",
            "granite-docling",
            "exaone4",
            "gigachat",
            "mellum",
        ],
        expressions: &[GPT_2],
        whole_words: WholeWords::ByMerging,
    },
    Known {
        names: &["qwen2", "deepseek-r1-qwen", "stablelm2", "hunyuan", "megrez", "kormo", "grok-2"],
        expressions: &[QWEN_2],
        whole_words: WholeWords::ByMerging,
    },
    Known { names: &["tekken"], expressions: &[TEKKEN], whole_words: WholeWords::First },
    Known {
        names: &["gpt-4o", "llama4", "kanana2"],
        expressions: &[GPT_4O],
        whole_words: WholeWords::ByMerging,
    },
    Known { names: &["seed-coder"], expressions: &[SEED_CODER], whole_words: WholeWords::ByMerging },
    Known { names: &["minicpm5"], expressions: &[r"\p{N}{1,3}", MINI_CPM_5], whole_words: WholeWords::First },
    Known {
        names: &["deepseek-coder"],
        expressions: &[
            r"[\r\n]",
            r"\s?\p{L}+",
            r"\s?\p{P}+",
            r"[\u{4e00}-\u{9fa5}\u{0800}-\u{4e00}\u{ac00}-\u{d7ff}]+",
            EACH_DIGIT,
        ],
        whole_words: WholeWords::ByMerging,
    },
    Known {
        names: &["deepseek-llm"],
        expressions: &[
            r"[\r\n]",
            DEEPSEEK_LETTERS,
            r"\s?[!-/:-~\u{ff01}-\u{ff0f}\u{ff1a}-\u{ff5e}\u{2018}-\u{201f}\u{3000}-\u{3002}]+",
            r"\s+$",
            r"[\u{4e00}-\u{9fa5}\u{0800}-\u{4e00}\u{ac00}-\u{d7ff}]+",
            DIGITS,
        ],
        whole_words: WholeWords::ByMerging,
    },
    Known {
        names: &["deepseek-v3", "hunyuan-dense", "joyai-llm"],
        expressions: &[r"\p{N}{1,3}", r"[\u{4e00}-\u{9fa5}\u{3040}-\u{309f}\u{30a0}-\u{30ff}]+", DEEPSEEK_V3],
        whole_words: WholeWords::ByMerging,
    },
    Known {
        names: &["falcon"],
        expressions: &[r"[\p{P}$+<=>^~|`]+", GPT_2, "[0-9][0-9][0-9]"],
        whole_words: WholeWords::ByMerging,
    },
    Known { names: &["bloom", "poro-chat"], expressions: &[BLOOM], whole_words: WholeWords::ByMerging },
    Known { names: &["gpt3-finnish"], expressions: &[BLOOM], whole_words: WholeWords::ByMerging },
    Known { names: &["viking"], expressions: &[BLOOM, EACH_DIGIT], whole_words: WholeWords::ByMerging },
    // What llama.cpp does with files that do not say: those made before April 2024.
    Known {
        names: &["default"],
        expressions: &[r"[\p{P}$+<=>^~|]+", GPT_2, DIGITS, "[0-9][0-9][0-9]"],
        whole_words: WholeWords::ByMerging,
    },
];

/// How a model's text is cut into words.
#[derive(Debug)]
pub(crate) struct PreTokenizer(Vec<Expression>);

impl PreTokenizer {
    /// By llama.cpp's name for it, with the rule for words that are tokens.
    pub(crate) fn by_name(name: &str) -> Result<(PreTokenizer, WholeWords), ChatError> {
        let Some(known) = KNOWN.iter().find(|known| known.names.contains(&name)) else {
            let names: Vec<&str> = KNOWN.iter().flat_map(|known| known.names).copied().collect();
            let found = name.chars().take(80).collect();
            return Err(ChatError::PreTokenizer { found, supported: names.join(", ") });
        };
        Ok((PreTokenizer::new(known.expressions)?, known.whole_words))
    }

    /// From regular expressions. Fails if one can't be run.
    pub(crate) fn new(expressions: &[impl AsRef<str>]) -> Result<PreTokenizer, ChatError> {
        let bytes: usize = expressions.iter().map(|pattern| pattern.as_ref().len()).sum();
        if expressions.len() > MAX_STEPS || bytes > expression::MAX_BYTES {
            let (steps, limit) = (expressions.len(), expression::MAX_BYTES);
            let reason = format!(
                "the pre-tokenizer has {steps} expressions of {bytes} bytes in all, and at most {MAX_STEPS} of {limit} bytes can be run"
            );
            return Err(ChatError::Expression { pattern: String::new(), reason });
        }
        let compiled = expressions.iter().map(|pattern| {
            let pattern = pattern.as_ref();
            Expression::new(pattern).map_err(|reason| {
                let pattern = pattern.chars().take(80).collect();
                ChatError::Expression { pattern, reason }
            })
        });
        Ok(PreTokenizer(compiled.collect::<Result<_, _>>()?))
    }

    /// Hands on the words of `text` in order. Fails if that takes too many steps.
    pub(crate) fn split(
        &self,
        text: &str,
        each: &mut dyn FnMut(&str) -> Result<(), ChatError>,
    ) -> Result<(), ChatError> {
        split(&self.0, text, &Budget::for_text(text), each)
    }
}

fn split(
    expressions: &[Expression],
    text: &str,
    budget: &Budget,
    each: &mut dyn FnMut(&str) -> Result<(), ChatError>,
) -> Result<(), ChatError> {
    match expressions.split_first() {
        Some((first, rest)) => first.split(text, budget, &mut |word| split(rest, word, budget, each)),
        None if text.is_empty() => Ok(()),
        None => each(text),
    }
}

/// Letters that have a case, as DeepSeek-LLM's `tokenizer.json` lists them.
const DEEPSEEK_LETTERS: &str = concat!(
    r"\s?[",
    r"A-Za-z\u{b5}\u{c0}-\u{d6}\u{d8}-\u{f6}\u{f8}-\u{1ba}\u{1bc}-\u{1bf}\u{1c4}-\u{293}",
    r"\u{295}-\u{2af}\u{370}-\u{373}\u{376}\u{377}\u{37b}-\u{37d}\u{37f}\u{386}\u{388}-\u{38a}\u{38c}",
    r"\u{38e}-\u{3a1}\u{3a3}-\u{3f5}\u{3f7}-\u{481}\u{48a}-\u{52f}\u{531}-\u{556}\u{10a0}-\u{10c5}",
    r"\u{13a0}-\u{13f5}\u{13f8}-\u{13fd}\u{1c90}-\u{1cba}\u{1cbd}-\u{1cbf}\u{1d00}-\u{1d2b}",
    r"\u{1d6b}-\u{1d77}\u{1d79}-\u{1d9a}\u{1e00}-\u{1f15}\u{1f18}-\u{1f1d}\u{1f20}-\u{1f45}",
    r"\u{1f48}-\u{1f4d}\u{1f50}-\u{1f57}\u{1f59}\u{1f5b}\u{1f5d}\u{1f5f}-\u{1f7d}\u{1f80}-\u{1fb4}",
    r"\u{1fb6}-\u{1fbc}\u{1fbe}\u{1fc2}-\u{1fc4}\u{1fc6}-\u{1fcc}\u{1fd0}-\u{1fd3}\u{1fd6}-\u{1fdb}",
    r"\u{1fe0}-\u{1fec}\u{1ff2}-\u{1ff4}\u{1ff6}-\u{1ffc}\u{2102}\u{2107}\u{210a}-\u{2113}\u{2115}",
    r"\u{2119}-\u{211d}\u{2124}\u{2126}\u{2128}\u{212a}-\u{212d}\u{212f}-\u{2134}\u{2139}",
    r"\u{213c}-\u{213f}\u{2145}-\u{2149}\u{214e}\u{2183}\u{2184}\u{2c00}-\u{2c7b}\u{2c7e}-\u{2ce4}",
    r"\u{2ceb}-\u{2cee}\u{2cf2}\u{2cf3}\u{a640}-\u{a66d}\u{a680}-\u{a69b}\u{a722}-\u{a76f}",
    r"\u{a771}-\u{a787}\u{a78b}-\u{a78e}\u{ab70}-\u{abbf}\u{fb00}-\u{fb06}\u{fb13}-\u{fb17}",
    r"\u{ff21}-\u{ff3a}\u{ff41}-\u{ff5a}\u{10400}-\u{1044f}\u{104b0}-\u{104d3}\u{104d8}-\u{104fb}",
    r"\u{10c80}-\u{10cb2}\u{10cc0}-\u{10cf2}\u{118a0}-\u{118df}\u{1e900}-\u{1e943}",
    r"]+",
);

#[cfg(test)]
mod tests;
