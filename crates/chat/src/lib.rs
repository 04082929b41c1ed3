//! Conversations to token ids, and token ids back to text.
//!
//! The vocabulary and the chat template are the model file's own: byte-level BPE as in GPT-2 and Llama 3,
//! and Jinja as Hugging Face sets it up. Both are untrusted input, and so is what people type:
//!
//! ```text
//! messages -> defuse contents -> Jinja -> text -> split at control tokens -> pre-tokenize -> BPE -> ids
//! ids -> bytes -> whole UTF-8 characters -> text
//! ```
//!
//! Control tokens come only from the template. One that stands in a message's content is ordinary text.
#![forbid(unsafe_code)]

mod byte_level;
mod control;
mod date;
mod error;
mod jinja;
mod pre_tokenizer;
mod stream;
mod template;
mod token_table;
mod tojson;
mod tokenizer;

pub use error::ChatError;
pub use stream::TextStream;
pub use template::{Prompt, Template};
pub use tokenizer::{Tokenizer, Vocabulary};
