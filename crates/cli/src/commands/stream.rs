//! An answer on stdout, as it is made.

use std::io;

use anyhow::Result;
use engine::{Answer, Engine, GenerateEvent, StopFlag};
use protocol::GenerateOptions;

use crate::output::print;

/// The options that a command line gives; what it leaves out is as in the page.
pub(crate) fn generate_options(max_tokens: Option<u32>) -> GenerateOptions {
    let default = GenerateOptions::default();
    GenerateOptions { max_tokens: max_tokens.or(default.max_tokens) }
}

/// Continues `prompt` on stdout, until it is `interrupted` or nobody reads any more.
pub(crate) fn stream(
    engine: &mut Engine,
    prompt: &[u32],
    options: &GenerateOptions,
    interrupted: &dyn Fn() -> bool,
) -> Result<Answer> {
    let stop = StopFlag::default();
    let mut printed: io::Result<()> = Ok(());
    let mut on_event = |event| {
        if let GenerateEvent::Text { text, .. } = event
            && printed.is_ok()
        {
            printed = print(&text);
        }
        if printed.is_err() || interrupted() {
            stop.stop();
        }
    };
    let answer = pollster::block_on(engine.generate(prompt, options, &stop, &mut on_event))?;
    printed?;
    Ok(answer)
}
