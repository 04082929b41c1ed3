//! `pre_tokenizer` and `post_processor`.
//!
//! ```text
//! Split       { "pattern": { "Regex": … } or { "String": … }, "behavior": "Isolated", "invert": false }
//! Digits      { "individual_digits": true }
//! ByteLevel   { "add_prefix_space": false, "use_regex": true }      GPT-2's expression, and its alphabet
//! Sequence    { "pretokenizers": [ … ] }
//! ```

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{read_part, unsupported};
use crate::ChatError;
use crate::error::quote;
use crate::pre_tokenizer::{DIGITS, EACH_DIGIT, GPT_2, PreTokenizer};

const PRE_TOKENIZERS: &str = "Sequence, Split, Digits and ByteLevel, the last at the end";

const POST_PROCESSORS: &str =
    "Sequence, ByteLevel and TemplateProcessing with at most a token before the text";

/// Lists in lists.
const MAX_DEPTH: usize = 4;

#[derive(Deserialize)]
#[serde(tag = "type")]
enum Step {
    Sequence {
        pretokenizers: Vec<Step>,
    },
    Split {
        pattern: Pattern,
        behavior: String,
        #[serde(default)]
        invert: bool,
    },
    Digits {
        #[serde(default)]
        individual_digits: bool,
    },
    ByteLevel {
        #[serde(default = "yes")]
        add_prefix_space: bool,
        #[serde(default = "yes")]
        use_regex: bool,
    },
}

/// What a file from before there was a choice means.
fn yes() -> bool {
    true
}

#[derive(Deserialize)]
enum Pattern {
    Regex(String),
    String(String),
}

#[derive(Deserialize)]
struct Named<'a> {
    #[serde(borrow, rename = "type")]
    name: Cow<'a, str>,
    #[serde(borrow, default)]
    pretokenizers: Option<Vec<&'a RawValue>>,
}

/// Reads the pre-tokenizer, which must end in bytes.
pub(super) fn read(raw: Option<&RawValue>) -> Result<PreTokenizer, ChatError> {
    let Some(raw) = raw else { return Err(unsupported("pre-tokenizer", "null".into(), PRE_TOKENIZERS)) };
    check_names(raw, 0)?;
    let step: Step = read_part("pre_tokenizer", raw)?;
    let mut steps = Vec::new();
    flatten(step, &mut steps);
    let mut expressions = Vec::new();
    let Some(Step::ByteLevel { use_regex, add_prefix_space }) = steps.pop() else {
        return Err(unsupported("pre-tokenizer", "that ends without ByteLevel".into(), PRE_TOKENIZERS));
    };
    for step in steps {
        expressions.push(expression(step)?);
    }
    if add_prefix_space {
        return Err(unsupported("flag", "add_prefix_space of ByteLevel".into(), "ByteLevel without it"));
    }
    if use_regex {
        expressions.push(GPT_2.into());
    }
    PreTokenizer::new(&expressions)
}

/// Refuses what we do not have by name, before the rest is read.
fn check_names(raw: &RawValue, depth: usize) -> Result<(), ChatError> {
    let Named { name, pretokenizers } = read_part("pre_tokenizer", raw)?;
    if depth > MAX_DEPTH {
        return Err(unsupported("pre-tokenizer", "of lists in lists in lists".into(), PRE_TOKENIZERS));
    }
    match name.as_ref() {
        "Sequence" => {
            pretokenizers.unwrap_or_default().into_iter().try_for_each(|raw| check_names(raw, depth + 1))
        }
        "Split" | "Digits" | "ByteLevel" => Ok(()),
        other => Err(unsupported("pre-tokenizer", quote(other), PRE_TOKENIZERS)),
    }
}

fn flatten(step: Step, steps: &mut Vec<Step>) {
    match step {
        Step::Sequence { pretokenizers } => pretokenizers.into_iter().for_each(|step| flatten(step, steps)),
        step => steps.push(step),
    }
}

fn expression(step: Step) -> Result<String, ChatError> {
    match step {
        Step::Split { pattern, behavior, invert: false } if behavior == "Isolated" => Ok(match pattern {
            Pattern::Regex(pattern) => pattern,
            Pattern::String(text) => escape(&text),
        }),
        Step::Split { invert: true, .. } => {
            Err(unsupported("flag", "invert of Split".into(), "Split without it"))
        }
        Step::Split { behavior, .. } => Err(unsupported("behavior", quote(&behavior), "Isolated")),
        Step::Digits { individual_digits: true } => Ok(EACH_DIGIT.into()),
        Step::Digits { individual_digits: false } => Ok(DIGITS.into()),
        Step::ByteLevel { .. } | Step::Sequence { .. } => {
            Err(unsupported("pre-tokenizer", "ByteLevel before the end".into(), PRE_TOKENIZERS))
        }
    }
}

/// An expression of that text and nothing else.
fn escape(text: &str) -> String {
    let mut pattern = String::new();
    for character in text.chars() {
        // `\<` would be the beginning of a word.
        if character.is_ascii_punctuation() && !matches!(character, '<' | '>') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern
}

#[derive(Deserialize)]
#[serde(tag = "type")]
enum Processor {
    Sequence {
        processors: Vec<Processor>,
    },
    ByteLevel {},
    TemplateProcessing {
        single: Vec<Piece>,
    },
    #[serde(untagged)]
    Other {
        #[serde(rename = "type")]
        name: String,
    },
}

#[derive(Deserialize)]
enum Piece {
    SpecialToken { id: String },
    Sequence {},
}

/// The name of the token that is put before plain text.
pub(super) fn bos_before_text(raw: Option<&RawValue>) -> Result<Option<String>, ChatError> {
    let Some(raw) = raw else { return Ok(None) };
    find_bos(read_part("post_processor", raw)?)
}

fn find_bos(processor: Processor) -> Result<Option<String>, ChatError> {
    let mut found = None;
    match processor {
        Processor::Sequence { processors } => {
            for processor in processors {
                found = find_bos(processor)?.or(found);
            }
        }
        Processor::ByteLevel {} => {}
        Processor::TemplateProcessing { single } => match single.as_slice() {
            [Piece::Sequence {}] => {}
            [Piece::SpecialToken { id }, Piece::Sequence {}] => found = Some(id.clone()),
            _ => {
                let found = "TemplateProcessing with tokens elsewhere".into();
                return Err(unsupported("post-processor", found, POST_PROCESSORS));
            }
        },
        Processor::Other { name } => {
            return Err(unsupported("post-processor", quote(&name), POST_PROCESSORS));
        }
    }
    Ok(found)
}
