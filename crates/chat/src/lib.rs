//! Conversations to token ids, and token ids back to text and tool calls.
//!
//! ```text
//! GGUF vocabulary, tokenizer.json or tokenizer.model -> Tokenizer
//! messages -> Template (the model's own, in Jinja) -> text -> control tokens + ordinary text -> Tokenizer -> ids
//! ids -> TextStream -> whole characters -> ToolCallParser -> text, calls, code
//! ```
//!
//! Only what the template writes may become control tokens. What people, models and tools wrote is ordinary text,
//! also where it spells a control token: `<|im_end|>` in a message stays ten characters.
//!
//! A vocabulary, its regular expressions and a template are a stranger's: expressions run in linear time, templates on
//! a budget.

#![forbid(unsafe_code)]

mod bpe;
mod budget;
mod byte_level;
mod conversation;
mod date;
mod defuse;
mod error;
mod expression;
mod jinja;
mod json;
mod pre_tokenizer;
mod special;
mod stream;
mod template;
mod tiktoken;
mod tojson;
mod tokenizer;
mod tokenizer_config;
mod tokenizer_json;
mod tokens;
mod tool_calls;
mod vocabulary;

pub use conversation::parse_conversation;
pub use error::ChatError;
pub use stream::TextStream;
pub use template::{Prompt, Template};
pub use tokenizer::Tokenizer;
pub use tokenizer_config::TokenizerConfig;
pub use tool_calls::ToolCallParser;
pub use vocabulary::Vocabulary;
