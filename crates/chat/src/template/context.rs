//! What a template is given: the conversation's values, their strings made harmless ([`crate::defuse`]).
//!
//! As with Hugging Face, `tools` and `documents` are none where there are none, and what nobody asked for is not
//! there at all.

use minijinja::Value;
use protocol::{ChatMessage, Content, Conversation, ToolCall};

use super::role_name;
use crate::defuse::{Defuser, Text};
use crate::json::Json;
use crate::tokenizer::MAX_BYTES;
use crate::{ChatError, Tokenizer};

/// What the template is given anyway.
const RESERVED: [&str; 8] = [
    "messages",
    "tools",
    "builtin_tools",
    "tools_in_user_message",
    "date_string",
    "add_generation_prompt",
    "bos_token",
    "eos_token",
];

/// A conversation whose JSON has been read.
pub(super) struct Parsed<'a> {
    conversation: &'a Conversation,
    date_string: Option<&'a String>,
    messages: Vec<ParsedMessage<'a>>,
    tools: Option<Json>,
    template_kwargs: Vec<(&'a str, Json)>,
}

struct ParsedMessage<'a> {
    message: &'a ChatMessage,
    /// If the content is no text.
    content: Option<Json>,
    /// Of each tool call.
    arguments: Vec<Json>,
}

impl<'a> Parsed<'a> {
    /// Fails if something is no JSON, or too long.
    pub(super) fn new(
        conversation: &'a Conversation,
        date_string: Option<&'a String>,
    ) -> Result<Parsed<'a>, ChatError> {
        let tools = conversation.tools.as_ref().map(|json| Json::parse("tools", &json.0)).transpose()?;
        if tools.as_ref().is_some_and(|tools| !matches!(tools, Json::List(_))) {
            return Err(ChatError::Conversation { detail: "tools are no list".into() });
        }
        let mut template_kwargs = Vec::new();
        for (name, json) in &conversation.template_kwargs {
            if RESERVED.contains(&name.as_str()) {
                let detail = format!("{name} is not for the conversation to set");
                return Err(ChatError::Conversation { detail });
            }
            template_kwargs.push((name.as_str(), Json::parse(name, &json.0)?));
        }
        let messages = conversation.messages.iter().map(ParsedMessage::new).collect::<Result<_, _>>()?;
        let parsed = Parsed { conversation, date_string, messages, tools, template_kwargs };
        match parsed.bytes() {
            bytes if bytes > MAX_BYTES => Err(ChatError::TooLong { bytes, limit: MAX_BYTES }),
            _ => Ok(parsed),
        }
    }

    /// All that the template could write and has not written itself.
    pub(super) fn texts(&self) -> Vec<(Text, &str)> {
        let mut texts = Vec::new();
        for message in &self.messages {
            message.texts(&mut texts);
        }
        let values = self.tools.iter().chain(self.template_kwargs.iter().map(|(_, json)| json));
        values.for_each(|json| json.each_string(&mut |text| texts.push((Text::Field, text))));
        let names = self.conversation.builtin_tools.iter().flatten().chain(self.date_string);
        texts.extend(names.map(|name| (Text::Field, name.as_str())));
        texts
    }

    /// How long the conversation is, as it was given.
    pub(super) fn bytes(&self) -> usize {
        let Conversation { messages, tools, template_kwargs, .. } = self.conversation;
        let contents = messages.iter().filter_map(|message| message.content.as_ref());
        let contents = contents.map(|content| match content {
            Content::Text(text) => text.len(),
            Content::Json(json) => json.0.len(),
        });
        let calls = messages.iter().flat_map(|message| &message.tool_calls).map(|call| &call.arguments);
        let values = calls.chain(tools).chain(template_kwargs.iter().map(|(_, json)| json));
        contents.chain(values.map(|json| json.0.len())).sum()
    }

    pub(super) fn context(&self, tokenizer: &Tokenizer, defuser: &Defuser) -> Value {
        let field = |text: &str| defuser.defuse(Text::Field, text);
        let none = Value::from(());
        let Conversation { builtin_tools, tools_in_user_message, add_generation_prompt, .. } =
            self.conversation;
        let mut pairs = vec![
            ("documents", none.clone()),
            ("messages", self.messages.iter().map(|message| message.value(defuser)).collect()),
            ("tools", self.tools.as_ref().map_or(none, |tools| tools.to_value(&field))),
            ("add_generation_prompt", Value::from(*add_generation_prompt)),
            ("bos_token", Value::from(tokenizer.bos_token())),
            ("eos_token", Value::from(tokenizer.eos_token())),
        ];
        if let Some(names) = builtin_tools {
            pairs.push(("builtin_tools", names.iter().map(|name| field(name)).collect()));
        }
        pairs.extend(tools_in_user_message.map(|value| ("tools_in_user_message", Value::from(value))));
        pairs.extend(self.date_string.map(|date| ("date_string", Value::from(field(date)))));
        pairs.extend(self.template_kwargs.iter().map(|(name, json)| (*name, json.to_value(&field))));
        Value::from_pairs(pairs)
    }
}

impl<'a> ParsedMessage<'a> {
    fn new(message: &'a ChatMessage) -> Result<ParsedMessage<'a>, ChatError> {
        let content = match &message.content {
            Some(Content::Json(json)) => Some(Json::parse("a content", &json.0)?),
            _ => None,
        };
        let arguments = message.tool_calls.iter().map(|call| {
            let what = format!("arguments of {:.80}", call.name);
            match Json::parse(&what, &call.arguments.0)? {
                Json::Map(pairs) => Ok(Json::Map(pairs)),
                _ => Err(ChatError::Json { what, detail: "expected an object".into() }),
            }
        });
        Ok(ParsedMessage { message, content, arguments: arguments.collect::<Result<_, _>>()? })
    }

    fn texts<'b>(&'b self, texts: &mut Vec<(Text, &'b str)>) {
        if let Some(Content::Text(text)) = &self.message.content {
            texts.push((Text::Content, text));
        }
        let values = self.content.iter().chain(&self.arguments);
        values.for_each(|json| json.each_string(&mut |text| texts.push((Text::Field, text))));
        for ToolCall { id, name, .. } in &self.message.tool_calls {
            texts.extend([(Text::Field, id.as_str()), (Text::Field, name.as_str())]);
        }
        let names = self.message.tool_call_id.iter().chain(&self.message.name);
        texts.extend(names.map(|name| (Text::Field, name.as_str())));
    }

    fn value(&self, defuser: &Defuser) -> Value {
        let field = |text: &str| defuser.defuse(Text::Field, text);
        let mut pairs = vec![("role", Value::from(role_name(self.message.role)))];
        match (&self.message.content, &self.content) {
            (Some(Content::Text(text)), _) => {
                pairs.push(("content", Value::from(defuser.defuse(Text::Content, text))));
            }
            (_, Some(json)) => pairs.push(("content", json.to_value(&field))),
            _ => {}
        }
        if !self.message.tool_calls.is_empty() {
            let calls = self.message.tool_calls.iter().zip(&self.arguments);
            pairs.push((
                "tool_calls",
                calls.map(|(call, arguments)| tool_call(call, arguments, &field)).collect(),
            ));
        }
        let named = [("tool_call_id", &self.message.tool_call_id), ("name", &self.message.name)];
        for (key, text) in named {
            pairs.extend(text.as_ref().map(|text| (key, Value::from(field(text)))));
        }
        Value::from_pairs(pairs)
    }
}

fn tool_call(call: &ToolCall, arguments: &Json, field: &dyn Fn(&str) -> String) -> Value {
    let function = Value::from_pairs([
        ("name", Value::from(field(&call.name))),
        ("arguments", arguments.to_value(field)),
    ]);
    let id = (!call.id.is_empty()).then(|| ("id", Value::from(field(&call.id))));
    let rest = [("type", Value::from("function")), ("function", function)];
    Value::from_pairs(id.into_iter().chain(rest))
}
