//! Where words go: results to stdout, everything else to stderr.

use std::io::{self, Write};

use anyhow::Result;
use engine::EngineError;
use serde::Serialize;

/// Writes to stdout at once, since an answer is read while it is made.
pub(crate) fn print(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

/// Writes one line of JSON to stdout.
pub(crate) fn print_json(value: &impl Serialize) -> Result<()> {
    Ok(print(&format!("{}\n", serde_json::to_string(value)?))?)
}

/// Writes a line to stderr. Where nobody reads it there is nobody to tell that it failed.
pub(crate) fn tell(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// A failure as one line: the engine's in the words that the page shows too, others with what caused them.
pub(crate) fn sentence(error: &anyhow::Error) -> String {
    let text = match error.downcast_ref::<EngineError>() {
        Some(error) => error.failure().message,
        None => format!("{error:#}"),
    };
    // What a server or a driver says may have several lines.
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    format!("{}.", line.trim_end_matches('.'))
}

/// Whether stdout was closed by its reader, as in `pronk … | head`: the end of the work, not a failure.
pub(crate) fn reader_has_left(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
