//! An answer in the terminal: text as it comes, and a line of JSON for each call of a tool.

use std::io;

use anyhow::Result;
use chat::ToolCallParser;
use engine::{Answer, Engine, GenerateEvent, StopFlag};
use protocol::{GenerateOptions, Sampling, ToolCall, ToolEvent};
use serde::Serialize;

use crate::output::{print, tell};

/// What an answer continues, and what tells calls from text in it, if there are tools.
pub(crate) struct Prompt {
    pub(crate) ids: Vec<u32>,
    pub(crate) calls: Option<ToolCallParser>,
}

/// A call as OpenAI's API has it: the arguments are JSON as text.
#[derive(Serialize)]
pub(crate) struct Call<'a> {
    id: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    function: Function<'a>,
}

#[derive(Serialize)]
struct Function<'a> {
    name: &'a str,
    arguments: &'a str,
}

/// Code that the model wants to be run.
#[derive(Serialize)]
struct Code<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    code: &'a str,
}

impl<'a> From<&'a ToolCall> for Call<'a> {
    fn from(call: &'a ToolCall) -> Call<'a> {
        let function = Function { name: &call.name, arguments: &call.arguments.0 };
        Call { id: &call.id, kind: "function", function }
    }
}

/// The usual options, with the most tokens and the sampling that were asked for.
pub(crate) fn generate_options(max_tokens: Option<u32>, sampling: Sampling) -> GenerateOptions {
    let default = GenerateOptions::default();
    GenerateOptions { max_tokens: max_tokens.or(default.max_tokens), sampling }
}

/// Continues `prompt` on stdout, until it is `interrupted` or nobody reads any more.
pub(crate) fn stream(
    engine: &mut Engine,
    prompt: Prompt,
    options: &GenerateOptions,
    interrupted: &dyn Fn() -> bool,
) -> Result<Answer> {
    let stop = StopFlag::default();
    let (mut printed, mut place) = (Ok(()), Place::LineStart);
    let mut on_event = |event| {
        if printed.is_ok() {
            printed = place.print(&event);
        }
        if printed.is_err() || interrupted() {
            stop.stop();
        }
    };
    let answer = engine.answer(&prompt.ids, prompt.calls, options, &stop, &mut on_event);
    let answer = pollster::block_on(answer)?;
    printed?;
    Ok(answer)
}

/// Where in a line the next word goes: a call has a line of its own.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    LineStart,
    InLine,
}

impl Place {
    fn print(&mut self, event: &GenerateEvent) -> io::Result<()> {
        match event {
            GenerateEvent::Text { text, .. } => self.print_text(text),
            GenerateEvent::LogProbs(logprobs) => {
                tell(&serde_json::to_string(logprobs)?);
                Ok(())
            }
            GenerateEvent::Tool(ToolEvent::Call { call }) => self.print_line(&Call::from(call)),
            GenerateEvent::Tool(ToolEvent::Code { code }) => self.print_line(&Code { kind: "code", code }),
            GenerateEvent::Tool(ToolEvent::Malformed { text, .. }) => self.print_text(text),
            GenerateEvent::Tool(ToolEvent::Begun { .. } | ToolEvent::Text { .. })
            | GenerateEvent::Prefill { .. } => Ok(()),
        }
    }

    fn print_text(&mut self, text: &str) -> io::Result<()> {
        if let Some(last) = text.chars().last() {
            *self = if last == '\n' { Place::LineStart } else { Place::InLine };
        }
        print(text)
    }

    fn print_line(&mut self, value: &impl Serialize) -> io::Result<()> {
        let before = if *self == Place::InLine { "\n" } else { "" };
        *self = Place::LineStart;
        print(&format!("{before}{}\n", serde_json::to_string(value)?))
    }
}
