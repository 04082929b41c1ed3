//! A conversation from JSON, as OpenAI's API and Hugging Face's `apply_chat_template` take it.
//!
//! ```text
//! { "messages": [ { "role": "user", "content": "Hi" },
//!                 { "role": "assistant", "tool_calls": [ { "id": …, "type": "function",
//!                                                          "function": { "name": …, "arguments": … } } ] },
//!                 { "role": "tool", "tool_call_id": …, "content": … } ],
//!   "tools": […], "builtin_tools": […], "date_string": …, … }
//! ```
//!
//! `arguments` may be an object, or an object as text. What is not named here is handed on to the template.

use protocol::{ChatMessage, Content, Conversation, Json, Role, ToolCall};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::ChatError;
use crate::json::{self, Pairs};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Call {
    #[serde(default)]
    id: Option<String>,
    /// There is one type.
    #[serde(default, rename = "type")]
    _kind: Option<CallKind>,
    function: Function,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum CallKind {
    Function,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Function {
    name: String,
    arguments: Box<RawValue>,
}

/// Reads a conversation. Numbers and the order of keys stay as they are written.
///
/// # Errors
/// If the text is no JSON, or not of that form.
pub fn parse_conversation(text: &str) -> Result<Conversation, ChatError> {
    // What is too deep is found here, before it is read part by part.
    json::Json::parse("messages", text)?;
    let mut conversation = Conversation::from(Vec::new());
    for (key, raw) in members("a conversation", text)? {
        match key.as_str() {
            "messages" => {
                let messages: Vec<&RawValue> = read(&key, raw)?;
                conversation.messages = messages.into_iter().map(message).collect::<Result<_, _>>()?;
            }
            // Null is what Hugging Face passes for none.
            "tools" => conversation.tools = (raw.get() != "null").then(|| json(raw)),
            "builtin_tools" => conversation.builtin_tools = read(&key, raw)?,
            "tools_in_user_message" => conversation.tools_in_user_message = read(&key, raw)?,
            "date_string" => conversation.date_string = read(&key, raw)?,
            "add_generation_prompt" => conversation.add_generation_prompt = read(&key, raw)?,
            _ => conversation.template_kwargs.push((key, json(raw))),
        }
    }
    Ok(conversation)
}

fn message(raw: &RawValue) -> Result<ChatMessage, ChatError> {
    let mut role = None;
    let (mut content, mut tool_calls, mut tool_call_id, mut name) = (None, Vec::new(), None, None);
    for (key, raw) in members("a message", raw.get())? {
        match key.as_str() {
            "role" => role = Some(read::<Role>(&key, raw)?),
            "content" => {
                content = match raw.get().as_bytes() {
                    b"null" => None,
                    [b'"', ..] => Some(Content::Text(read(&key, raw)?)),
                    _ => Some(Content::Json(json(raw))),
                };
            }
            "tool_calls" => {
                let calls: Option<Vec<Call>> = read(&key, raw)?;
                tool_calls =
                    calls.unwrap_or_default().into_iter().map(tool_call).collect::<Result<_, _>>()?;
            }
            "tool_call_id" => tool_call_id = read(&key, raw)?,
            "name" => name = read(&key, raw)?,
            other => return Err(unreadable(format!("a message has the unknown field {other:.80}"))),
        }
    }
    let role = role.ok_or_else(|| unreadable("a message has no role".into()))?;
    Ok(ChatMessage { role, content, tool_calls, tool_call_id, name })
}

fn tool_call(call: Call) -> Result<ToolCall, ChatError> {
    let Function { name, arguments } = call.function;
    let arguments = match arguments.get().as_bytes() {
        [b'"', ..] => Json(read("arguments", &arguments)?),
        _ => json(&arguments),
    };
    Ok(ToolCall { id: call.id.unwrap_or_default(), name, arguments })
}

fn members<'a>(what: &str, text: &'a str) -> Result<Vec<(String, &'a RawValue)>, ChatError> {
    let Pairs(pairs) = serde_json::from_str(text).map_err(|error| unreadable(format!("{what}: {error}")))?;
    Ok(pairs)
}

fn json(raw: &RawValue) -> Json {
    Json(raw.get().to_owned())
}

fn read<'a, T: Deserialize<'a>>(key: &str, raw: &'a RawValue) -> Result<T, ChatError> {
    serde_json::from_str(raw.get()).map_err(|error| unreadable(format!("{key}: {error}")))
}

fn unreadable(detail: String) -> ChatError {
    ChatError::Conversation { detail }
}
