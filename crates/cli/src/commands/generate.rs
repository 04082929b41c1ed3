//! `pronk generate`: one answer, streamed as text or printed whole as JSON.

use anyhow::Result;
use engine::{Answer, Engine, EngineError, StopFlag};
use protocol::LogProbs;
use serde::Serialize;

use super::stream::{Call, Prompt, generate_options, stream};
use crate::args::{Ask, ConversationArgs, GenerateArgs};
use crate::ids::{self, Ids, conversation_from_file};
use crate::output::{print, print_json};
use crate::source::load_to_answer;

#[derive(Serialize)]
struct Generated<'a> {
    ids: &'a [u32],
    text: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<Call<'a>>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    logprobs: &'a [LogProbs],
    /// Of what was drawn.
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
}

/// What to continue.
enum Asked {
    Text(String),
    Messages(ids::Asked),
    Ids(Vec<u32>),
}

pub(crate) fn generate(args: GenerateArgs) -> Result<()> {
    // A file that can't be read should be heard of before a model is loaded.
    let asked = Asked::read(args.ask, &args.conversation)?;
    let options = args.device.load_options(args.context.context(), args.kv);
    let mut engine = load_to_answer(&args.model, &args.guess, options)?;
    let prompt = asked.prompt(&engine)?;
    let options = generate_options(args.max_tokens, args.sampling.sampling(args.logprobs));
    if args.json {
        let (stop, mut on_event) = (StopFlag::default(), |_| {});
        let answer = engine.answer(&prompt.ids, prompt.calls, &options, &stop, &mut on_event);
        let answer = pollster::block_on(answer)?;
        let tool_calls = answer.calls.iter().map(Call::from).collect();
        let Answer { ids, text, logprobs, usage, .. } = &answer;
        return print_json(&Generated { ids, text, tool_calls, logprobs, seed: usage.seed });
    }
    stream(&mut engine, prompt, &options, &|| false)?;
    Ok(print("\n")?)
}

impl Asked {
    fn read(ask: Ask, with: &ConversationArgs) -> Result<Asked> {
        Ok(match (ask.prompt, ask.messages, ask.ids) {
            (Some(text), _, _) => Asked::Text(text),
            (_, Some(file), _) => Asked::Messages(conversation_from_file(&file, with)?),
            (_, _, ids) => Asked::Ids(ids.map(|Ids(ids)| ids).unwrap_or_default()),
        })
    }

    fn prompt(self, engine: &Engine) -> Result<Prompt, EngineError> {
        let ids = match self {
            Asked::Text(text) => engine.encode_prompt(&text)?,
            Asked::Messages(ids::Asked::Messages(messages)) => engine.render(&messages)?.ids,
            Asked::Messages(ids::Asked::Conversation(conversation)) => {
                let ids = engine.render_conversation(&conversation)?.ids;
                return Ok(Prompt { ids, calls: engine.call_parser(&conversation) });
            }
            Asked::Ids(ids) => ids,
        };
        Ok(Prompt { ids, calls: None })
    }
}
