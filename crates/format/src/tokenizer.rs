//! What turns text into ids: the vocabulary that a GGUF file carries, or a file that is carried as it is.
//!
//! GGUF's is byte-level BPE as in GPT-2, which all of Llama 3 has.
//!
//! Only read and checked here; encoding is `chat`'s.
//! Tokens are text in GPT-2's alphabet, where each byte has a printable character (a space is `Ġ`).

use crate::TokenizerConfig;
use crate::error::{FormatError, Part, quote};
use crate::gguf::{Array, Gguf, Metadata, ValueType};

/// What a checkpoint brings to turn text into ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenizerFile {
    /// A GGUF file's own vocabulary, read and checked.
    Gguf(Tokenizer),
    /// `tokenizer.json` of Hugging Face, not looked into.
    HuggingFace {
        /// The file's bytes.
        json: Vec<u8>,
        /// What `tokenizer_config.json` says; nothing if there is none.
        config: TokenizerConfig,
    },
    /// `tokenizer.model` of Meta, lines of `base64 rank` for tiktoken, not looked into.
    Tiktoken {
        /// The file's bytes.
        model: Vec<u8>,
        /// What `tokenizer_config.json` says; nothing if there is none.
        config: TokenizerConfig,
    },
    /// The checkpoint came without one: only ids can be given to the model, and only ids come out.
    Absent,
}

/// A vocabulary with its merges and special tokens. Every id lies in the vocabulary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tokenizer {
    /// The algorithm: `gpt2`, byte-level BPE.
    pub model: String,
    /// Which pre-tokenizer splits text before merging, by llama.cpp's name, as in `llama-bpe`; `default` if unnamed.
    pub pre: String,
    /// The tokens, by id.
    pub tokens: Vec<String>,
    /// What each token is, by id: 1 normal, 2 unknown, 3 control, 4 user defined, 5 unused, 6 byte.
    pub token_types: Vec<u32>,
    /// Pairs that merge, best first, as `left right`.
    pub merges: Vec<String>,
    /// Begin of text.
    pub bos_token_id: Option<u32>,
    /// Where generation ends. A file names only one; a chat model may have others in `eot` and `eom`.
    pub eos_token_id: Option<u32>,
    /// End of turn.
    pub eot_token_id: Option<u32>,
    /// End of message: more follows after a tool has answered.
    pub eom_token_id: Option<u32>,
    /// What stands for text that has no token.
    pub unknown_token_id: Option<u32>,
    /// Fills batches up.
    pub padding_token_id: Option<u32>,
    /// Whether plain text (not a rendered chat, whose template says so itself) begins with `bos`.
    pub add_bos_token: bool,
}

const NORMAL: u32 = 1;
const MAX_TOKEN_TYPE: u32 = 6;

impl Tokenizer {
    /// Reads the vocabulary of a GGUF file that may hold nothing else, as llama.cpp's `ggml-vocab-*.gguf`.
    ///
    /// # Errors
    /// As [`Gguf::parse`], and if the vocabulary contradicts itself.
    pub fn from_gguf(file: &[u8]) -> Result<Tokenizer, FormatError> {
        let mut metadata = Gguf::parse(file, file.len() as u64)?.metadata;
        Tokenizer::from_metadata(&mut metadata)
    }

    /// Moves the vocabulary out of the metadata.
    pub(crate) fn from_metadata(metadata: &mut Metadata) -> Result<Tokenizer, FormatError> {
        let model = model(metadata)?;
        let pre = metadata.string("tokenizer.ggml.pre")?.unwrap_or("default").to_owned();
        let tokens = take_strings(metadata, "tokenizer.ggml.tokens")?;
        if tokens.is_empty() {
            return Err(Part::Tokenizer.invalid("tokens", "at least one", "none"));
        }
        let token_types = take_token_types(metadata, tokens.len())?;
        let merges = take_strings(metadata, "tokenizer.ggml.merges")?;
        check_merges(&merges)?;
        let id = |name: &str| token_id(metadata, name, tokens.len());
        Ok(Tokenizer {
            bos_token_id: id("bos")?,
            eos_token_id: id("eos")?,
            eot_token_id: id("eot")?,
            eom_token_id: id("eom")?,
            unknown_token_id: id("unknown")?,
            padding_token_id: id("padding")?,
            // llama.cpp's rule for files that don't say: Llama 3's vocabulary wants it, GPT-2's in general doesn't.
            add_bos_token: metadata.boolean("tokenizer.ggml.add_bos_token")?.unwrap_or(pre == "llama-bpe"),
            model,
            pre,
            tokens,
            token_types,
            merges,
        })
    }
}

fn model(metadata: &Metadata) -> Result<String, FormatError> {
    const KEY: &str = "tokenizer.ggml.model";
    match metadata.string(KEY)? {
        None => Err(Part::Metadata.missing(KEY)),
        Some("gpt2") => Ok("gpt2".into()),
        Some(other) => Err(FormatError::Unsupported {
            what: "Tokenizer",
            found: quote(other),
            supported: "gpt2 (byte-level BPE, as Llama 3 has it)".into(),
        }),
    }
}

fn take_strings(metadata: &mut Metadata, key: &str) -> Result<Vec<String>, FormatError> {
    match metadata.take_array(key)? {
        None => Err(Part::Metadata.missing(key)),
        Some(Array::Strings(strings)) => Ok(strings),
        Some(Array::Numbers { element, .. }) => {
            Err(Part::Metadata.invalid(key, "an array of strings", format_args!("an array of {element}")))
        }
    }
}

/// One type a token. Only 32-bit integers are taken: narrower ones have been read past their end elsewhere.
fn take_token_types(metadata: &mut Metadata, vocab_size: usize) -> Result<Vec<u32>, FormatError> {
    const KEY: &str = "tokenizer.ggml.token_type";
    let types: Vec<u32> = match metadata.take_array(KEY)? {
        None => return Ok(vec![NORMAL; vocab_size]),
        Some(Array::Numbers { element: ValueType::I32 | ValueType::U32, bytes }) => {
            bytes.as_chunks().0.iter().map(|le| u32::from_le_bytes(*le)).collect()
        }
        Some(Array::Numbers { element, .. }) => {
            return Err(Part::Metadata.invalid(
                KEY,
                "an array of i32",
                format_args!("an array of {element}"),
            ));
        }
        Some(Array::Strings(_)) => {
            return Err(Part::Metadata.invalid(KEY, "an array of i32", "an array of strings"));
        }
    };
    if types.len() != vocab_size {
        return Err(Part::Tokenizer.invalid(
            "token_type",
            format_args!("one for each of {vocab_size} tokens"),
            types.len(),
        ));
    }
    match types.iter().enumerate().find(|(_, token_type)| **token_type > MAX_TOKEN_TYPE) {
        None => Ok(types),
        Some((id, token_type)) => {
            let field = format!("token_type of token {id}");
            Err(Part::Tokenizer.invalid(field, "0 to 6", token_type.cast_signed()))
        }
    }
}

/// A merge is two tokens with a space between. The first character may itself be one, as llama.cpp reads it.
fn check_merges(merges: &[String]) -> Result<(), FormatError> {
    let is_pair = |merge: &str| {
        let mut characters = merge.char_indices().skip(1);
        characters.any(|(at, character)| character == ' ' && at + 1 < merge.len())
    };
    match merges.iter().enumerate().find(|(_, merge)| !is_pair(merge)) {
        None => Ok(()),
        Some((rank, merge)) => Err(Part::Tokenizer.invalid(
            format!("merge {rank}"),
            "two tokens with a space between",
            quote(merge),
        )),
    }
}

fn token_id(metadata: &Metadata, name: &str, vocab_size: usize) -> Result<Option<u32>, FormatError> {
    let key = format!("tokenizer.ggml.{name}_token_id");
    let Some(found) = metadata.integer(&key)? else { return Ok(None) };
    match u32::try_from(found) {
        Ok(id) if found < vocab_size as u64 => Ok(Some(id)),
        _ => Err(Part::Tokenizer.invalid(
            format!("{name}_token_id"),
            format_args!("less than {vocab_size}, the vocabulary's size"),
            found,
        )),
    }
}
