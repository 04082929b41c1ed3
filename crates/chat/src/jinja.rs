//! Jinja as Hugging Face sets it up for chat templates, in a box: no files, no clock but a date, and an end.
//!
//! Blocks swallow the line feed behind and the white space before them; nothing is escaped for HTML;
//! `break` and `continue`, Python's methods, `raise_exception`, `strftime_now` and `tojson` are there.
//! Templates come with models and are untrusted: time and memory (fuel), depth and output are bounded.

use std::io;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Value, ValueKind};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, Output, State};
use web_time::{SystemTime, UNIX_EPOCH};

use crate::ChatError;
use crate::date::strftime;
use crate::error::{clean, quote};
use crate::tojson::tojson;

/// What a render may use up. A unit is an instruction or 64 bytes: about a second at most, and 64 MiB.
/// A turn takes some 100.
const FUEL: u64 = 1_000_000;

/// Deepest nesting of blocks and macro calls; a worker has a stack of 1 MiB.
const MAX_DEPTH: usize = 150;

/// Most bytes of a rendered conversation: more than any context holds.
pub(crate) const MAX_RENDERED_BYTES: usize = 4 << 20;

const NAME: &str = "chat_template";

/// A template that has been compiled.
#[derive(Debug)]
pub(crate) struct Jinja {
    environment: Environment<'static>,
}

/// `raise_exception` was called, with these words.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Raised(String);

impl Jinja {
    pub(crate) fn compile(source: &str) -> Result<Jinja, ChatError> {
        let unreadable = |error: Error| ChatError::TemplateSyntax { reason: clean(&error.to_string()) };
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build().map_err(unreadable)?;
        let mut environment = Environment::new();
        environment.set_syntax(syntax);
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.set_formatter(format_as_python);
        environment.set_fuel(Some(FUEL));
        environment.set_recursion_limit(MAX_DEPTH);
        environment.add_filter("tojson", tojson);
        environment.add_test("iterable", is_iterable);
        environment.add_test("sequence", is_sequence);
        environment.add_function("raise_exception", raise_exception);
        environment.add_function("strftime_now", strftime_now);
        environment.add_template_owned(NAME, without_generation_tags(source)).map_err(unreadable)?;
        Ok(Jinja { environment })
    }

    pub(crate) fn render(&self, context: Value) -> Result<String, ChatError> {
        let mut out = Bounded(Vec::new());
        let template = self.environment.get_template(NAME).map_err(failure)?;
        template.render_captured_to(context, &mut out).map_err(failure)?;
        String::from_utf8(out.0).map_err(|error| ChatError::TemplateFailed { reason: error.to_string() })
    }
}

fn failure(error: Error) -> ChatError {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    while let Some(current) = cause {
        if let Some(Raised(words)) = current.downcast_ref() {
            return ChatError::Refused { reason: quote(words) };
        }
        let kind = current.downcast_ref().map(Error::kind);
        if matches!(kind, Some(ErrorKind::OutOfFuel | ErrorKind::WriteFailure)) {
            return ChatError::TemplateRunaway { limit: MAX_RENDERED_BYTES };
        }
        cause = current.source();
    }
    ChatError::TemplateFailed { reason: clean(&error.to_string()) }
}

/// Output that fails rather than fill the memory.
struct Bounded(Vec<u8>);

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len().saturating_add(bytes.len()) > MAX_RENDERED_BYTES {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// `True`, `False` and `None` are what Python's Jinja writes.
fn format_as_python(out: &mut Output<'_>, state: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    match value.kind() {
        ValueKind::None => Ok(out.write_str("None")?),
        ValueKind::Bool => Ok(out.write_str(if value.is_true() { "True" } else { "False" })?),
        _ => minijinja::escape_formatter(out, state, value),
    }
}

/// In Python a string can be iterated over; templates tell a tool's text from its JSON by this.
fn is_iterable(value: &Value) -> bool {
    value.as_str().is_some() || value.try_iter().is_ok()
}

/// In Python a string and a mapping have a length and items, which is what Jinja asks.
fn is_sequence(value: &Value) -> bool {
    matches!(value.kind(), ValueKind::String | ValueKind::Seq | ValueKind::Map)
}

fn raise_exception(words: String) -> Result<Value, Error> {
    Err(Error::new(ErrorKind::InvalidOperation, "the template raised an exception").with_source(Raised(words)))
}

fn strftime_now(format: &str) -> Result<String, Error> {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    strftime(format, seconds).map_err(|directive| {
        Error::new(ErrorKind::InvalidOperation, format!("strftime_now doesn't know {directive}"))
    })
}

/// `{% generation %}` marks what training counts; it writes nothing, and minijinja can't be taught new tags.
/// An `if true` is the same to a reader.
fn without_generation_tags(source: &str) -> String {
    let mut plain = String::with_capacity(source.len());
    let mut rest = source;
    while let Some((before, tag)) = rest.split_once("{%") {
        plain.push_str(before);
        plain.push_str("{%");
        let name = tag.trim_start_matches(['-', '+']).trim_start();
        let end = name.find(|character: char| !character.is_alphanumeric() && character != '_').unwrap_or(name.len());
        let replacement = match name.get(..end) {
            Some("generation") => "if true",
            Some("endgeneration") => "endif",
            _ => {
                rest = tag;
                continue;
            }
        };
        plain.push_str(tag.strip_suffix(name).unwrap_or_default());
        plain.push_str(replacement);
        rest = name.get(end..).unwrap_or_default();
    }
    plain.push_str(rest);
    plain
}

#[cfg(test)]
#[path = "jinja_tests.rs"]
mod tests;
