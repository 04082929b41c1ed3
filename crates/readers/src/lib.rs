//! Every reader of a stranger's bytes behind one signature, to be fuzzed.
//!
//! ```text
//! bytes -> a reader -> (), or the sentence that a person gets
//! ```
//!
//! A reader is taken as far as its bytes reach without a device: a file's header becomes a [`format::Checkpoint`], its
//! rows are unpacked, a vocabulary encodes a text, a template renders a conversation. Where it takes several files, one
//! of them is the fuzzer's and the others are those of a healthy model, the smallest there can be.
//!
//! Two things run these: `fuzz/`, which is `cargo fuzz` and wants a nightly toolchain, and `tests/short_run`, which
//! changes a corpus of damaged files some thousand times with every `cargo test`.

#![forbid(unsafe_code)]

mod chats;
mod containers;
mod hub;
mod model;
mod other_folders;
mod packed;
mod transport;
mod vocabularies;

pub use chats::{chat_template, conversation, tool_calls};
pub use containers::{gguf, gguf_prefix, pth, safetensors, safetensors_prefix};
pub use hub::{
    chat_template_json, config, generation_config, hub_index, quantization_config, tokenizer_config,
};
pub use other_folders::{healthy_manifest, manifest, meta_params, mlc_cache, mlc_config};
pub use packed::{healthy_mlc_cache, packed_rows};
pub use transport::{http_answer, names, record};
pub use vocabularies::{tiktoken, tokenizer_json};

/// Why a reader has refused its bytes.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// A model file.
    #[error(transparent)]
    Format(#[from] format::FormatError),
    /// A vocabulary, a template or a conversation.
    #[error(transparent)]
    Chat(#[from] chat::ChatError),
    /// What a host or the store has sent.
    #[error(transparent)]
    Store(#[from] store::StoreError),
}

/// A reader, and what it may take.
#[derive(Debug, Clone, Copy)]
pub struct Reader {
    /// Its function's name, which is its fuzz target's and its corpus', too.
    pub name: &'static str,
    /// Reads.
    pub read: fn(&[u8]) -> Result<(), Refusal>,
    /// Whether its bytes are text or numbers: how they are best damaged.
    pub kind: Kind,
    /// The most that it may have allocated at once.
    pub budget: Budget,
}

/// What bytes mostly are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Text, for the most part JSON.
    Text,
    /// Little-endian numbers.
    Numbers,
}

/// What a reader may allocate for a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// For each byte of it: a value of JSON takes 32 in a tree, and vectors grow by doubling.
    pub each_byte: usize,
    /// Besides, whatever the file is.
    pub besides: usize,
}

impl Budget {
    /// For a file of so many bytes.
    pub fn of(self, len: usize) -> usize {
        self.each_byte * len + self.besides
    }
}

/// Those that keep what they read, in one form or another.
const PLAIN: Budget = Budget { each_byte: 64, besides: 1 << 20 };

/// Those that build a tree of JSON and then a checkpoint.
const TREE: Budget = Budget { each_byte: 128, besides: 1 << 20 };

/// Those that compile a regular expression: its automata have limits of their own, some MiB each, and so has the cache
/// of a lazy one.
const AUTOMATA: Budget = Budget { each_byte: 128, besides: 64 << 20 };

/// Those that run a template: what it makes is paid for by its fuel, at most 64 bytes a step.
const PROGRAM: Budget = Budget { each_byte: 256, besides: 32 << 20 };

/// A name may stand for ten thousand files that a model was split into.
const NAMES: Budget = Budget { each_byte: 20_000, besides: 1 << 20 };

macro_rules! readers {
    ($($name:ident $kind:ident $budget:ident)*) => {
        /// All of them.
        pub const READERS: &[Reader] =
            &[$(Reader { name: stringify!($name), read: $name, kind: Kind::$kind, budget: $budget }),*];
    };
}

readers! {
    gguf Numbers AUTOMATA
    gguf_prefix Numbers PLAIN
    safetensors Numbers TREE
    safetensors_prefix Numbers TREE
    pth Numbers PLAIN
    config Text TREE
    quantization_config Text TREE
    packed_rows Numbers PLAIN
    hub_index Text TREE
    generation_config Text TREE
    tokenizer_config Text TREE
    chat_template_json Text TREE
    mlc_config Text TREE
    mlc_cache Text TREE
    meta_params Text TREE
    manifest Text TREE
    tokenizer_json Text AUTOMATA
    tiktoken Text AUTOMATA
    chat_template Text PROGRAM
    conversation Text PROGRAM
    tool_calls Text PLAIN
    http_answer Text PLAIN
    record Numbers PLAIN
    names Text NAMES
}

/// The longest sentence that anyone reads.
const MAX_SENTENCE: usize = 1500;

/// Reads, and makes sure that what is said of the bytes can be shown: for fuzzers, and for tests.
///
/// # Panics
/// If it can't.
pub fn fuzz(read: fn(&[u8]) -> Result<(), Refusal>, bytes: &[u8]) -> Result<(), Refusal> {
    let result = read(bytes);
    if let Err(refusal) = &result {
        let sentence = refusal.to_string();
        assert!(
            !sentence.is_empty() && sentence.len() <= MAX_SENTENCE,
            "{} bytes: {sentence}",
            sentence.len()
        );
        assert!(!sentence.chars().any(is_unfit), "{sentence:?}");
    }
    result
}

/// Characters that move a cursor, or turn the direction of the text that follows.
fn is_unfit(character: char) -> bool {
    character.is_control() || matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
