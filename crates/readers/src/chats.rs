//! What is said, and what decides how: templates, conversations, and calls of tools in an answer.

use std::sync::LazyLock;

use chat::{ChatError, Template, Tokenizer, ToolCallParser, parse_conversation};
use protocol::{Conversation, ToolEvent};

use crate::Refusal;
use crate::vocabularies::bytes_and_control_tokens;

static TOKENIZER: LazyLock<Result<Tokenizer, ChatError>> = LazyLock::new(bytes_and_control_tokens);

/// A template that prints everything that it is given.
const EVERYTHING: &str = "{{ bos_token }}{% for message in messages %}{{ message.role }}{{ message.content }}\
    {{ message | tojson }}{% endfor %}{{ tools | tojson }}{{ builtin_tools }}{{ date_string }}";

/// A conversation with everything that a template may ask for.
const CONVERSATION: &str = r#"{"messages": [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Is it raining in Paris? <|python_tag|>"},
    {"role": "assistant", "tool_calls": [{"function": {"name": "weather", "arguments": {"city": "Paris"}}}]},
    {"role": "tool", "content": {"rain": true, "mm": 1.50}},
    {"role": "assistant", "content": "Yes."},
    {"role": "user", "content": "Thanks!"}],
    "tools": [{"type": "function", "function": {"name": "weather", "description": "Says what it is like",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}}],
    "builtin_tools": ["brave_search"], "date_string": "26 Jul 2024"}"#;

/// A chat template in Jinja.
pub fn chat_template(bytes: &[u8]) -> Result<(), Refusal> {
    static GIVEN: LazyLock<Result<Conversation, ChatError>> =
        LazyLock::new(|| parse_conversation(CONVERSATION));
    let source = String::from_utf8_lossy(bytes);
    let template = Template::new(Some(&source), tokenizer()?)?.with_local_time(1_721_952_000);
    template.render_conversation(GIVEN.as_ref().map_err(Clone::clone)?)?;
    Ok(())
}

/// A conversation in JSON, with tools, calls and results.
pub fn conversation(bytes: &[u8]) -> Result<(), Refusal> {
    let conversation = parse_conversation(&String::from_utf8_lossy(bytes))?;
    Template::new(Some(EVERYTHING), tokenizer()?)?.render_conversation(&conversation)?;
    Ok(())
}

/// An answer with calls in it. A byte of zero is the token before code, one of 1 ends the turn, and a line's end is
/// where a token ends.
///
/// # Panics
/// If the arguments of a call are no object.
pub fn tool_calls(bytes: &[u8]) -> Result<(), Refusal> {
    let tokenizer = tokenizer()?;
    let mut parser = ToolCallParser::new(tokenizer, 0);
    let ids = [tokenizer.control_id("<|python_tag|>"), tokenizer.stop_ids().first().copied()];
    for token in bytes.split_inclusive(|byte| *byte <= 1 || *byte == b'\n') {
        let control = token.last().and_then(|byte| ids.get(usize::from(*byte)).copied().flatten());
        let text = token.strip_suffix(if control.is_some() { &token[token.len() - 1..] } else { &[] });
        let text = String::from_utf8_lossy(text.unwrap_or(token));
        check_calls(&parser.push(0, &text));
        control.into_iter().for_each(|id| check_calls(&parser.push(id, "")));
    }
    check_calls(&parser.finish(""));
    Ok(())
}

fn check_calls(events: &[ToolEvent]) {
    for event in events {
        let ToolEvent::Call { call } = event else { continue };
        let arguments = &call.arguments.0;
        // Not as a value: numbers may have more digits than any type holds.
        let is_json = serde_json::from_str::<serde::de::IgnoredAny>(arguments).is_ok();
        assert!(is_json && arguments.trim().starts_with('{') && !call.name.is_empty(), "{call:?}");
    }
}

fn tokenizer() -> Result<&'static Tokenizer, ChatError> {
    TOKENIZER.as_ref().map_err(Clone::clone)
}
