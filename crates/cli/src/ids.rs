//! Ids and messages as they are given: on the command line, in a JSON file, or on stdin.

use std::str::FromStr;

use anyhow::{Context, Result};
use protocol::{ChatMessage, Content, Conversation, Json, Message, Role};
use serde::de::DeserializeOwned;

use crate::args::ConversationArgs;

/// Ids from the command line: `1,2,3`, with spaces where one likes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ids(pub(crate) Vec<u32>);

impl FromStr for Ids {
    type Err = String;

    fn from_str(list: &str) -> Result<Ids, String> {
        if list.trim().is_empty() {
            return Ok(Ids(Vec::new()));
        }
        let id =
            |text: &str| text.trim().parse().map_err(|_| format!("expected ids as in 1,2,3, found {text:?}"));
        list.split(',').map(id).collect::<Result<_, _>>().map(Ids)
    }
}

/// Reads a JSON list of ids.
pub(crate) fn ids_from_file(file: &str) -> Result<Vec<u32>> {
    json_from_file(file, "a JSON list of ids, as in [1, 2, 3]")
}

/// A conversation as it was given.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Asked {
    /// Messages of text, the last of them to be answered.
    Messages(Vec<Message>),
    /// One with tools, or with more that its template is to know.
    Conversation(Box<Conversation>),
}

/// Reads a JSON list of messages, or an object with such a list as `messages` and what else the template takes.
pub(crate) fn conversation_from_file(file: &str, with: &ConversationArgs) -> Result<Asked> {
    let expected = "a JSON list of messages, as in [{\"role\": \"user\", \"content\": \"Hi\"}], with the roles system, \
                    user, assistant and tool";
    let (name, text) = read_text(file)?;
    let context = || format!("{name} does not hold {expected}");
    let is_list = text.trim_start().starts_with('[');
    let object = if is_list { format!("{{\"messages\":{text}}}") } else { text.clone() };
    // Only who calls a tool may say nothing.
    let speaks = |message: &ChatMessage| message.content.is_some() || !message.tool_calls.is_empty();
    let mut conversation = match chat::parse_conversation(&object) {
        Ok(conversation)
            if (is_list || !conversation.messages.is_empty()) && conversation.messages.iter().all(speaks) =>
        {
            conversation
        }
        // What is wrong with a list is said best by who knows nothing of tools.
        parsed => {
            serde_json::from_str::<Vec<Message>>(&text).with_context(context)?;
            parsed.with_context(context)?
        }
    };
    if let Some(tools) = tools_from_file(with)? {
        conversation.tools = Some(tools);
    }
    if let Some(date) = &with.date_string {
        conversation.date_string = Some(date.clone());
    }
    let plain = |message: &ChatMessage| match message {
        ChatMessage {
            role,
            content: Some(Content::Text(content)),
            tool_calls,
            tool_call_id: None,
            name: None,
        } if tool_calls.is_empty() && *role != Role::Tool => {
            Some(Message { role: *role, content: content.clone() })
        }
        _ => None,
    };
    let messages: Option<Vec<Message>> = conversation.messages.iter().map(plain).collect();
    Ok(match messages {
        Some(messages)
            if Conversation { messages: Vec::new(), ..conversation.clone() } == Vec::new().into() =>
        {
            Asked::Messages(messages)
        }
        _ => Asked::Conversation(Box::new(conversation)),
    })
}

/// The tools that were given, if any were. What they are is for the template to say.
pub(crate) fn tools_from_file(with: &ConversationArgs) -> Result<Option<Json>> {
    let read = |file: &String| Ok(Json(read_text(file)?.1));
    with.tools.as_ref().map(read).transpose()
}

fn json_from_file<T: DeserializeOwned>(file: &str, expected: &str) -> Result<T> {
    let (name, text) = read_text(file)?;
    serde_json::from_str(&text).with_context(|| format!("{name} does not hold {expected}"))
}

/// A file's name for messages, and its text; `-` is stdin.
fn read_text(file: &str) -> Result<(&str, String)> {
    let name = if file == "-" { "stdin" } else { file };
    let text = match file {
        "-" => std::io::read_to_string(std::io::stdin().lock()),
        path => std::fs::read_to_string(path),
    };
    Ok((name, text.with_context(|| format!("{name} can't be read"))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_ids() {
        let rows: [(&str, Option<&[u32]>); 10] = [
            ("1,2,3", Some(&[1, 2, 3])),
            (" 1 ,\t2\n, 4294967295 ", Some(&[1, 2, u32::MAX])),
            ("7", Some(&[7])),
            ("", Some(&[])),
            ("  ", Some(&[])),
            ("1,,2", None),
            ("1,2,", None),
            ("1 2", None),
            ("-1", None),
            ("4294967296", None),
        ];
        for (list, expected) in rows {
            let found = list.parse::<Ids>().ok();
            assert_eq!(found, expected.map(|ids| Ids(ids.to_vec())), "{list:?}");
        }
    }
}
