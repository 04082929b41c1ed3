//! `tokenizer_config.json`: what to do around `tokenizer.json`, and in older folders the chat template.

use super::chat_template::{self, ChatTemplateFile};
use crate::error::{FormatError, Part};
use crate::json::{Fields, Json};

/// The special tokens that a folder names, each as text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TokenizerConfig {
    /// Begin of text.
    pub bos_token: Option<String>,
    /// Where generation ends. A chat model may have others: `GenerationConfig::eos_token_ids` has them all.
    pub eos_token: Option<String>,
    /// What stands for text that has no token.
    pub unk_token: Option<String>,
    /// Fills batches up.
    pub pad_token: Option<String>,
    /// Whether plain text begins with `bos_token`, if the file says so.
    pub add_bos_token: Option<bool>,
}

/// The special tokens, and the chat template: one in a file of its own goes before this file's.
pub(crate) fn read_with_template(
    tokenizer_config: Option<&[u8]>,
    chat_template: Option<&ChatTemplateFile>,
) -> Result<(TokenizerConfig, Option<String>), FormatError> {
    let (config, template) = tokenizer_config.map(read).transpose()?.unwrap_or_default();
    let own = chat_template.map(ChatTemplateFile::read).transpose()?.flatten();
    Ok((config, own.or(template)))
}

/// The file's special tokens and its chat template.
fn read(bytes: &[u8]) -> Result<(TokenizerConfig, Option<String>), FormatError> {
    let json = Json::parse(Part::TokenizerConfigJson, bytes)?;
    let fields = Fields::of(Part::TokenizerConfigJson, &json)?;
    let config = TokenizerConfig {
        bos_token: token(&fields, "bos_token")?,
        eos_token: token(&fields, "eos_token")?,
        unk_token: token(&fields, "unk_token")?,
        pad_token: token(&fields, "pad_token")?,
        add_bos_token: fields.boolean("add_bos_token")?,
    };
    Ok((config, chat_template::of(&fields)?))
}

/// A token is a string, or an object with its text as `content`.
fn token(fields: &Fields, key: &str) -> Result<Option<String>, FormatError> {
    let text = match fields.get(key) {
        Some(Json::Object(_)) => {
            fields.object(key)?.map(|token| token.required_string("content")).transpose()?
        }
        _ => fields.string(key)?,
    };
    Ok(text.map(str::to_owned))
}
