//! What can be wrong with a model file, in sentences a person can act on.
//!
//! Each names the part of the file, the field in it, what was expected and what was found.
//! Names that come out of the file are quoted, escaped and cut, so that a hostile one can't fill the screen.

use crate::{GgmlType, TensorName};

/// Why a file can't be read as a Llama model, or not yet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FormatError {
    /// Not a fault: the header goes on past the bytes given. Append the file's next piece and parse again.
    #[error("The file's header goes on: it needs at least {need} bytes, and {have} have been read.")]
    NeedMore {
        /// Bytes given so far.
        have: u64,
        /// A lower bound for the header's length in bytes, at most the file's.
        need: u64,
    },
    /// The header asks for more than any model needs.
    #[error("{part}: {field} reaches to byte {end}, and a header may have at most {limit} bytes.")]
    HeaderTooLong {
        /// Where in the file.
        part: Part,
        /// Which field.
        field: String,
        /// The byte after the field.
        end: u64,
        /// The most that is read.
        limit: u64,
    },
    /// The file ends before something that it announces.
    #[error(
        "{part}: {field} ends at byte {end}, but the file has only {file_size} bytes. \
         It is cut short or damaged; fetch it again."
    )]
    Truncated {
        /// Where in the file.
        part: Part,
        /// Which field or tensor.
        field: String,
        /// The byte after the field.
        end: u64,
        /// The file's length in bytes.
        file_size: u64,
    },
    /// Another kind of file.
    #[error("This is not a GGUF file: it starts with {found}, expected \"GGUF\".")]
    NotGguf {
        /// The first bytes, escaped.
        found: String,
    },
    /// Another kind of file.
    #[error("This is not a safetensors file: it starts with {found}, expected a length and \"{{\".")]
    NotSafetensors {
        /// The first bytes, escaped.
        found: String,
    },
    /// A file of JSON that can't be read as such.
    #[error("{part} can't be read: {why}. Fetch the file again, or take another copy of the model.")]
    NotJson {
        /// Which file.
        part: Part,
        /// What the parser says, with line and column.
        why: String,
    },
    /// A field holds what it must not.
    #[error("{part}: {field}: expected {expected}, found {found}.")]
    Invalid {
        /// Where in the file.
        part: Part,
        /// Which field.
        field: String,
        /// What may stand there.
        expected: String,
        /// What stands there.
        found: String,
    },
    /// A field that must be there is not.
    #[error("{part}: {field} is missing.")]
    Missing {
        /// Where in the file.
        part: Part,
        /// Which field or tensor.
        field: String,
    },
    /// A whole and healthy file of something that Pronk doesn't run.
    #[error("{what} {found} is not supported; Pronk runs {supported}.")]
    Unsupported {
        /// What kind of thing.
        what: &'static str,
        /// Which one.
        found: String,
        /// What would be.
        supported: String,
    },
    /// One of several files that make up a model together.
    #[error(
        "This is one of {count} files of a split model, and the others are needed too: \
         keep them under their own names, as in model-00001-of-{count:05}.gguf, and open them together."
    )]
    Split {
        /// How many files the model is split into.
        count: u64,
    },
    /// Some of the files that share a model of Meta's.
    #[error(
        "This model has {needed} of the files consolidated.00.pth, .01 and so on, and {opened} came: \
         open just those together."
    )]
    Parts {
        /// How many the model has.
        needed: usize,
        /// How many were opened.
        opened: usize,
    },
    /// Bytes in the middle of a tensor were left out.
    #[error(
        "The model's bytes must come in order: {tensor} goes on at byte {expected} of file {file}, \
         but byte {found} came next. Load the model again."
    )]
    Skipped {
        /// The tensor that misses bytes.
        tensor: TensorName,
        /// Which of the model's files, from 0.
        file: usize,
        /// The next byte of it.
        expected: u64,
        /// Where the bytes began that came instead.
        found: u64,
    },
    /// The bytes ended before the tensors did.
    #[error(
        "The weights are not complete: {tensor} goes on at byte {expected} of file {file}, and nothing came any more. \
         Load the model again."
    )]
    Incomplete {
        /// The first tensor that is not whole.
        tensor: TensorName,
        /// Which of the model's files, from 0.
        file: usize,
        /// The next byte of it.
        expected: u64,
    },
    /// Bytes that are not a whole number of blocks.
    #[error("{dtype} blocks have {block_bytes} bytes each, and {found} bytes are not a multiple of that.")]
    PartialBlock {
        /// The blocks' type.
        dtype: GgmlType,
        /// Bytes of one block.
        block_bytes: usize,
        /// Bytes given.
        found: usize,
    },
}

/// The parts of a model file, as errors name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Part {
    /// Magic, version and counts.
    Header,
    /// The key/value pairs.
    Metadata,
    /// Names, shapes, types and offsets of tensors.
    TensorTable,
    /// The tensors' bytes.
    TensorData,
    /// The model's dimensions.
    Config,
    /// Vocabulary, merges and special tokens.
    Tokenizer,
    /// Names, types, shapes and offsets of tensors in a safetensors file.
    SafetensorsHeader,
    /// A Hub folder's dimensions.
    ConfigJson,
    /// How a Hub folder's makers want text generated.
    GenerationConfigJson,
    /// Which of a Hub folder's files holds which tensor.
    IndexJson,
    /// Special tokens and chat template of a Hub folder.
    TokenizerConfigJson,
    /// A Hub folder's chat template.
    ChatTemplate,
    /// An MLC folder's dimensions.
    MlcConfig,
    /// Where an MLC folder's tensors lie.
    MlcCache,
    /// The archive that a `.pth` file is.
    Zip,
    /// The list of tensors in a `.pth` file.
    Pickle,
    /// The dimensions in a folder of Meta's.
    ParamsJson,
    /// What bitsandbytes says of a tensor, among the tensors.
    QuantState,
    /// What a folder that Pronk wrote has in it.
    Manifest,
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Part::Header => "GGUF header",
            Part::Metadata => "GGUF metadata",
            Part::TensorTable => "GGUF tensor table",
            Part::TensorData => "tensor data",
            Part::Config => "model config",
            Part::Tokenizer => "tokenizer",
            Part::SafetensorsHeader => "safetensors header",
            Part::ConfigJson => "config.json",
            Part::GenerationConfigJson => "generation_config.json",
            Part::IndexJson => "model.safetensors.index.json",
            Part::TokenizerConfigJson => "tokenizer_config.json",
            Part::ChatTemplate => "chat template",
            Part::MlcConfig => "mlc-chat-config.json",
            Part::MlcCache => "tensor-cache.json",
            Part::Zip => "ZIP archive",
            Part::Pickle => "data.pkl",
            Part::ParamsJson => "params.json",
            Part::QuantState => "quant_state",
            Part::Manifest => "manifest.json",
        })
    }
}

impl Part {
    /// Both sides are given as they should be printed; what comes from the file goes through [`quote`] before.
    pub(crate) fn invalid(
        self,
        field: impl Into<String>,
        expected: impl std::fmt::Display,
        found: impl std::fmt::Display,
    ) -> FormatError {
        FormatError::Invalid {
            part: self,
            field: field.into(),
            expected: expected.to_string(),
            found: found.to_string(),
        }
    }

    pub(crate) fn missing(self, field: impl Into<String>) -> FormatError {
        FormatError::Missing { part: self, field: field.into() }
    }
}

impl FormatError {
    /// `found` names the type, and the tensor if it is known.
    pub fn unsupported_type(found: String) -> FormatError {
        let supported: Vec<&str> = GgmlType::SUPPORTED.iter().map(|dtype| dtype.name()).collect();
        FormatError::Unsupported { what: "Tensor type", found, supported: supported.join(", ") }
    }
}

/// Text from the file as an error may show it: quoted, control and direction characters escaped, cut at 80.
pub(crate) fn quote(text: &str) -> String {
    const SHOWN: usize = 80;
    match text.char_indices().nth(SHOWN) {
        None => format!("{text:?}"),
        Some((cut, _)) => format!("{:?} and {} more bytes", &text[..cut], text.len() - cut),
    }
}

/// What another crate says of the file, which may quote it at length: cut at 200 characters.
pub(crate) fn cut(message: &str) -> String {
    const SHOWN: usize = 200;
    match message.char_indices().nth(SHOWN) {
        None => message.to_owned(),
        Some((cut, _)) => format!("{} …", &message[..cut]),
    }
}

/// The name of a key or a tensor from the file: as it stands if it is an ordinary one, else quoted.
pub(crate) fn quote_odd(name: &str) -> String {
    let ordinary = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    match name.len() {
        1..=80 if name.bytes().all(ordinary) => name.to_owned(),
        _ => quote(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_names_stand_as_they_are() {
        for (name, expected) in
            [("blk.0.attn_q.weight", "blk.0.attn_q.weight"), ("a b", "\"a b\""), ("", "\"\"")]
        {
            assert_eq!(quote_odd(name), expected);
        }
    }

    #[test]
    fn hostile_names_are_escaped_and_cut() {
        let long = "é".repeat(100);
        let rows: [(&str, String); 4] = [
            ("", "\"\"".into()),
            ("a\0b\u{202e}\n", "\"a\\0b\\u{202e}\\n\"".into()),
            (&long[..160], format!("\"{}\"", &long[..160])),
            (&long, format!("\"{}\" and 40 more bytes", &long[..160])),
        ];
        for (text, expected) in rows {
            assert_eq!(quote(text), expected, "{text:?}");
        }
    }
}
