//! One module for each thing that can be asked.

mod bench;
mod chat;
mod conversion;
mod convert;
mod generate;
mod inspect;
mod logits;
mod perplexity;
mod stream;
mod synthesize;
mod text;
mod tuning;
mod verify;

use anyhow::Result;

use crate::args::Command;

/// Does what was asked.
pub(crate) fn run(command: Command) -> Result<()> {
    match command {
        Command::Inspect(args) => inspect::inspect(&args),
        Command::Generate(args) => generate::generate(args),
        Command::Logits(args) => logits::logits(args),
        Command::Tokenize(args) => text::tokenize(&args),
        Command::Render(args) => text::render(&args),
        Command::Chat(args) => chat::chat(&args),
        Command::Perplexity(args) => perplexity::perplexity(&args),
        Command::Convert(args) => convert::convert(&args),
        Command::Synthesize(args) => synthesize::synthesize(&args),
        Command::Verify(args) => verify::verify(&args),
        Command::Bench(args) => bench::bench(&args),
    }
}
