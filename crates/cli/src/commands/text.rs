//! `pronk tokenize` and `pronk render`: what the model gets to read. Of the file only the header is read.

use std::fmt::Write;

use anyhow::Result;
use serde::Serialize;

use crate::args::{RenderArgs, TokenizeArgs};
use crate::ids::{Asked, conversation_from_file};
use crate::output::{print, print_json};
use crate::source::read_header;

#[derive(Serialize)]
struct Tokenized {
    ids: Vec<u32>,
}

#[derive(Serialize)]
struct Rendered {
    text: String,
    ids: Vec<u32>,
}

pub(crate) fn tokenize(args: &TokenizeArgs) -> Result<()> {
    let tokenizer = read_header(&args.model)?.tokenizer()?;
    let ids = match args.parse_special {
        true => tokenizer.encode_with_special(&args.text)?,
        false => tokenizer.encode(&args.text)?,
    };
    if args.json {
        return print_json(&Tokenized { ids });
    }
    let mut lines = String::new();
    for id in ids {
        // Writing to a `String` cannot fail.
        let _ = writeln!(lines, "{id:7}  {:?}", tokenizer.decode(&[id]));
    }
    Ok(print(&lines)?)
}

pub(crate) fn render(args: &RenderArgs) -> Result<()> {
    let asked = conversation_from_file(&args.messages, &args.conversation)?;
    let template = read_header(&args.model)?.template()?;
    let prompt = match &asked {
        Asked::Messages(messages) => template.render(messages)?,
        Asked::Conversation(conversation) => template.render_conversation(conversation)?,
    };
    match args.json {
        true => print_json(&Rendered { text: prompt.text, ids: prompt.ids }),
        false => Ok(print(&prompt.text)?),
    }
}
