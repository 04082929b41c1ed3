//! Hugging Face's `tokenizer_config.json`: what stands beside a `tokenizer.json`.
//!
//! ```text
//! { "bos_token": "<|begin_of_text|>", "eos_token": { "content": "<|eot_id|>", … }, "add_bos_token": true,
//!   "chat_template": "…"  or  [ { "name": "default", "template": "…" }, { "name": "tool_use", … } ], … }
//! ```

use std::borrow::Cow;

use serde::Deserialize;

use crate::error::quote;
use crate::{ChatError, Tokenizer};

const FILE: &str = "tokenizer_config.json";

/// Llama 3's has 55 KB, most of it control tokens.
const MAX_FILE_BYTES: usize = 8 * 1024 * 1024;

/// The part of a `tokenizer_config.json` that matters here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TokenizerConfig {
    /// Begin of text.
    pub bos_token: Option<String>,
    /// Where generation ends.
    pub eos_token: Option<String>,
    /// Whether plain text begins with `bos_token`; `tokenizer.json` says where this does not.
    pub add_bos_token: Option<bool>,
    /// The chat template: the one named `default` if there are several. In newer folders it is a file of its own.
    pub chat_template: Option<String>,
}

#[derive(Deserialize)]
struct File<'a> {
    #[serde(borrow, default)]
    bos_token: Option<Token<'a>>,
    #[serde(borrow, default)]
    eos_token: Option<Token<'a>>,
    #[serde(default)]
    add_bos_token: Option<bool>,
    #[serde(borrow, default)]
    chat_template: Option<Templates<'a>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Token<'a> {
    Text(#[serde(borrow)] Cow<'a, str>),
    Added { content: String },
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Templates<'a> {
    One(#[serde(borrow)] Cow<'a, str>),
    Named(Vec<Named>),
}

#[derive(Deserialize)]
struct Named {
    name: String,
    template: String,
}

impl TokenizerConfig {
    /// Reads the file. Fails if it is damaged, or if it has templates and none is the default.
    pub fn parse(file: &[u8]) -> Result<TokenizerConfig, ChatError> {
        if file.len() > MAX_FILE_BYTES {
            return Err(damaged(format!(
                "it has {} bytes, and at most {MAX_FILE_BYTES} are read",
                file.len()
            )));
        }
        let file: File = serde_json::from_slice(file).map_err(|error| damaged(error.to_string()))?;
        let chat_template = match file.chat_template {
            Some(Templates::One(template)) => Some(template.into_owned()),
            Some(Templates::Named(named)) => {
                let default = named.into_iter().find(|named| named.name == "default");
                let expected = "its chat templates have no default";
                Some(default.ok_or_else(|| damaged(expected.into()))?.template)
            }
            None => None,
        };
        let text = |token: Token| match token {
            Token::Text(text) => text.into_owned(),
            Token::Added { content } => content,
        };
        Ok(TokenizerConfig {
            bos_token: file.bos_token.map(text),
            eos_token: file.eos_token.map(text),
            add_bos_token: file.add_bos_token,
            chat_template,
        })
    }
}

impl Tokenizer {
    /// Takes the special tokens that a configuration names; `eos_token` ends an answer.
    ///
    /// Fails if one of them is no control token of the vocabulary.
    pub fn with_config(mut self, config: &TokenizerConfig) -> Result<Tokenizer, ChatError> {
        let id = |tokenizer: &Tokenizer, field: &str, text: &str| {
            let expected = "a control token of the vocabulary";
            tokenizer.control_id(text).ok_or_else(|| ChatError::vocabulary(field, expected, quote(text)))
        };
        if let Some(text) = &config.bos_token {
            let bos = id(&self, "bos_token", text)?;
            self = self.with_bos_token_id(bos)?;
        }
        if let Some(text) = &config.eos_token {
            let eos = id(&self, "eos_token", text)?;
            self = self.with_eos_token_id(eos)?;
        }
        Ok(match config.add_bos_token {
            Some(add) => self.with_add_bos_token(add),
            None => self,
        })
    }
}

fn damaged(detail: String) -> ChatError {
    ChatError::TokenizerFile { file: FILE, detail }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokenizer::tests::tokenizer;

    #[test]
    fn what_matters_is_read() {
        let some = |text: &str| Some(text.to_owned());
        for (file, expected) in [
            ("{}", TokenizerConfig::default()),
            (
                r#"{"bos_token": null, "eos_token": "<e>", "pad_token": 7, "chat_template": "\u0061{{ b }}"}"#,
                TokenizerConfig {
                    eos_token: some("<e>"),
                    chat_template: some("a{{ b }}"),
                    ..TokenizerConfig::default()
                },
            ),
            (
                r#"{"bos_token": {"content": "<b>", "lstrip": false}, "add_bos_token": false,
                    "chat_template": [{"name": "tool_use", "template": "t"}, {"name": "default", "template": "d"}]}"#,
                TokenizerConfig {
                    bos_token: some("<b>"),
                    add_bos_token: Some(false),
                    chat_template: some("d"),
                    ..TokenizerConfig::default()
                },
            ),
        ] {
            assert_eq!(TokenizerConfig::parse(file.as_bytes()), Ok(expected), "{file}");
        }
    }

    #[test]
    fn a_damaged_file_is_refused_with_a_sentence() {
        for (file, says) in [
            ("", "EOF while parsing a value at line 1 column 0"),
            (
                r#"{"bos_token": 7}"#,
                "data did not match any variant of untagged enum Token at line 1 column 16",
            ),
            (
                r#"{"chat_template": [{"name": "tool_use", "template": "t"}]}"#,
                "its chat templates have no default",
            ),
            (r#"{"chat_template": []}"#, "its chat templates have no default"),
            (
                r#"{"add_bos_token": "yes"}"#,
                "invalid type: string \"yes\", expected a boolean at line 1 column 23",
            ),
        ] {
            let error = TokenizerConfig::parse(file.as_bytes()).unwrap_err();
            assert_eq!(error.to_string(), format!("The model's tokenizer_config.json is damaged: {says}."));
        }
        assert!(TokenizerConfig::parse(&vec![b' '; MAX_FILE_BYTES + 1]).is_err());
        assert!(TokenizerConfig::parse("[".repeat(100_000).as_bytes()).is_err());
    }

    #[test]
    fn special_tokens_are_taken_by_name() {
        let config = |bos: &str, eos: &str| TokenizerConfig {
            bos_token: Some(bos.into()),
            eos_token: Some(eos.into()),
            add_bos_token: Some(true),
            chat_template: None,
        };
        let taken = tokenizer("gpt-2").with_config(&config("<|im_start|>", "<tool>")).unwrap();
        assert_eq!((taken.bos_before_text(), taken.bos_token()), (Some(266), "<|im_start|>".into()));
        assert_eq!(taken.stop_ids(), [264, 265, 267, 268, 269]);
        for (bos, eos, field) in [("he", "<tool>", "bos_token"), ("<tool>", "</s>", "eos_token")] {
            let error = tokenizer("gpt-2").with_config(&config(bos, eos)).map(|_| ()).unwrap_err();
            let found = quote(if field == "bos_token" { bos } else { eos });
            assert_eq!(error, ChatError::vocabulary(field, "a control token of the vocabulary", found));
        }
        let unchanged = tokenizer("gpt-2").with_config(&TokenizerConfig::default()).unwrap();
        assert_eq!((unchanged.bos_before_text(), unchanged.bos_token()), (None, "<|begin_of_text|>".into()));
    }
}
