//! `pronk generate`: one answer, streamed as text or printed whole as JSON.

use anyhow::Result;
use engine::{Engine, EngineError, StopFlag};
use serde::Serialize;

use super::stream::{generate_options, stream};
use crate::args::{Ask, ConversationArgs, GenerateArgs};
use crate::ids::{self, Ids, conversation_from_file};
use crate::output::{print, print_json};
use crate::source::load;

#[derive(Serialize)]
struct Generated {
    ids: Vec<u32>,
    text: String,
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
    let mut engine = load(&args.model, options)?;
    let prompt = asked.prompt(&engine)?;
    let options = generate_options(args.max_tokens);
    if args.json {
        let (stop, mut on_event) = (StopFlag::default(), |_| {});
        let answer = pollster::block_on(engine.generate(&prompt, &options, &stop, &mut on_event))?;
        return print_json(&Generated { ids: answer.ids, text: answer.text });
    }
    stream(&mut engine, &prompt, &options, &|| false)?;
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

    fn prompt(self, engine: &Engine) -> Result<Vec<u32>, EngineError> {
        match self {
            Asked::Text(text) => engine.encode_prompt(&text),
            Asked::Messages(ids::Asked::Messages(messages)) => Ok(engine.render(&messages)?.ids),
            Asked::Messages(ids::Asked::Conversation(conversation)) => {
                Ok(engine.render_conversation(&conversation)?.ids)
            }
            Asked::Ids(ids) => Ok(ids),
        }
    }
}
