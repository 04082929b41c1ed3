//! `pronk logits`: the numbers behind the choice, for comparing with other implementations.

use std::fmt::Write;

use anyhow::Result;
use engine::{Engine, EngineError};
use serde::Serialize;

use crate::args::{IdsArgs, LogitsArgs};
use crate::ids::{Ids, ids_from_file};
use crate::output::{print, print_json};
use crate::source::load;

/// Tokens listed for a person.
const SHOWN: usize = 10;

#[derive(Serialize)]
struct Logits {
    logits: Vec<f32>, // [vocab_size]
    argmax_per_position: Vec<u32>,
}

pub(crate) fn logits(args: LogitsArgs) -> Result<()> {
    let ids = ids(args.ids)?;
    if ids.is_empty() {
        return Err(EngineError::EmptyPrompt.into());
    }
    let context = Some(ids.len() + 1);
    let mut engine = load(&args.model, args.device.load_options(context, args.kv))?;
    let (logits, argmax_per_position) = pollster::block_on(engine.logits(&ids))?;
    match args.json {
        true => print_json(&Logits { logits, argmax_per_position }),
        false => Ok(print(&table(&engine, &logits))?),
    }
}

fn ids(args: IdsArgs) -> Result<Vec<u32>> {
    match (args.ids, args.ids_file) {
        (Some(Ids(ids)), _) => Ok(ids),
        (None, file) => ids_from_file(&file.unwrap_or_default()),
    }
}

/// The most likely tokens, best first.
fn table(engine: &Engine, logits: &[f32]) -> String {
    let mut ranked: Vec<(u32, f32)> = (0..).zip(logits.iter().copied()).collect();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
    let mut table = String::from("   logit      id  token\n");
    for (id, logit) in ranked.into_iter().take(SHOWN) {
        // Writing to a `String` cannot fail.
        let _ = writeln!(table, "{logit:8.4} {id:7}  {:?}", engine.tokenizer().decode(&[id]));
    }
    table
}
