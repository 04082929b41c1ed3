//! A conversation as the model was trained to read it: text for people to look at, ids for the model.
//!
//! The model's own template is used; a model without one gets the format that its control tokens betray.

use std::collections::BTreeMap;
use std::sync::Arc;

use minijinja::Value;
use protocol::{Message, Role};

use crate::control::{ControlTokens, unused_marker};
use crate::jinja::{Jinja, MAX_RENDERED_BYTES};
use crate::tokenizer::{Words, encode_segments};
use crate::{ChatError, Tokenizer};

/// For models with `<|im_start|>`.
const CHATML: &str = "\
{% for message in messages %}
{{ '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}\
{% endfor %}
{{ '<|im_start|>assistant\\n' }}";

/// For models with `<|start_header_id|>`, as Meta's reference code writes it.
const LLAMA_3: &str = "\
{{ bos_token }}
{%- for message in messages %}
{{- '<|start_header_id|>' + message.role + '<|end_header_id|>\\n\\n' + message.content.strip() + '<|eot_id|>' }}\
{% endfor %}
{{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}";

/// A rendered conversation, which ends where the answer begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    /// The text, control tokens by name. Those that somebody typed look the same.
    pub text: String,
    /// The ids, in which they are not the same.
    pub ids: Vec<u32>,
}

/// A model's chat template, with what it needs of the tokenizer.
#[derive(Debug)]
pub struct Template {
    /// `None` if the model has no template and is of no kind we know; it can still continue plain text.
    jinja: Option<Jinja>,
    control: Arc<ControlTokens>,
    words: Arc<Words>,
    /// `bos_token` and `eos_token`, if the model has them.
    special_tokens: BTreeMap<&'static str, String>,
    source: String,
}

impl Template {
    /// Compiles the file's template, or if it has none the one that fits the vocabulary, if any does.
    ///
    /// # Errors
    /// If the template isn't Jinja that is understood.
    pub fn new(source: Option<&str>, tokenizer: &Tokenizer) -> Result<Template, ChatError> {
        let (control, words) = tokenizer.shared();
        let source = source.or_else(|| {
            let has = |token: &str| control.id(token).is_some();
            if has("<|im_start|>") {
                Some(CHATML)
            } else {
                has("<|start_header_id|>").then_some(LLAMA_3)
            }
        });
        let jinja = source.map(Jinja::compile).transpose()?;
        let special_tokens = ["bos_token", "eos_token"].into_iter().zip(tokenizer.bos_and_eos());
        Ok(Template {
            jinja,
            control,
            words,
            special_tokens: special_tokens.filter_map(|(name, token)| Some((name, token?))).collect(),
            source: source.unwrap_or_default().to_owned(),
        })
    }

    /// Renders a conversation that ends with the user's message, up to where the answer begins.
    /// Only the template makes control tokens; in contents they are ordinary text.
    ///
    /// # Errors
    /// If there is nothing to answer, if the template refuses or fails, or if the model has none.
    pub fn render(&self, messages: &[Message]) -> Result<Prompt, ChatError> {
        check(messages)?;
        let jinja = self.jinja.as_ref().ok_or(ChatError::NoTemplate)?;
        let marker = unused_marker(|marker| {
            messages.iter().any(|message| message.content.contains(marker))
                || self.source.contains(marker)
                || self.control.texts().any(|token| token.contains(marker))
        });
        let marker = marker.ok_or(ChatError::NoMarker)?;
        let rendered = jinja.render(self.context(messages, marker))?;
        let ids =
            encode_segments(&self.control, &rendered, |text| self.words.encode(&text.replace(marker, "")))?;
        Ok(Prompt { text: rendered.replace(marker, ""), ids })
    }

    /// The template's variables, as Hugging Face passes them: no tools and no documents are `None`.
    fn context(&self, messages: &[Message], marker: char) -> Value {
        let defused = |message: &Message| {
            let content = self.control.defuse(&message.content, marker);
            [("role", name(message.role).to_string()), ("content", content)].into_iter().collect::<Value>()
        };
        let messages: Vec<Value> = messages.iter().map(defused).collect();
        let special_tokens = self.special_tokens.iter().map(|(name, token)| (*name, Value::from(token.as_str())));
        let own = [
            ("messages", Value::from(messages)),
            ("tools", Value::from(())),
            ("documents", Value::from(())),
            ("add_generation_prompt", Value::from(true)),
        ];
        own.into_iter().chain(special_tokens).collect()
    }
}

/// Fails unless there is something to answer.
fn check(messages: &[Message]) -> Result<(), ChatError> {
    let last = messages.last().ok_or(ChatError::EmptyConversation)?;
    if last.role != Role::User {
        return Err(ChatError::NotFromUser { role: name(last.role) });
    }
    if last.content.trim().is_empty() {
        return Err(ChatError::EmptyMessage);
    }
    let bytes = messages.iter().fold(0_usize, |sum, message| sum.saturating_add(message.content.len()));
    // Markers and structure come on top.
    let limit = MAX_RENDERED_BYTES / 4;
    if bytes > limit {
        return Err(ChatError::ConversationTooLong { bytes, limit });
    }
    Ok(())
}

/// As templates know it.
fn name(role: Role) -> &'static str {
    match role {
        Role::System => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
    }
}

#[cfg(test)]
#[path = "template_tests.rs"]
mod tests;
