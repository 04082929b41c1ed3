//! What may be a call: held back until it is one, or can't be.

use protocol::ToolEvent;

use super::form::{self, Form};
use super::scanner::{Scanner, Seen};
use super::{CLOSE_TAG, OPEN_TAG, say};

/// Longer ones are no calls, but a model that has lost its way.
pub(super) const MAX_BYTES: usize = 1024 * 1024;

/// Of a tool's name.
const MAX_NAME: usize = 256;

/// What may be a call, until it is one or can't be.
#[derive(Debug)]
pub(super) struct Candidate {
    place: Place,
    pub(super) text: String,
    scanner: Scanner,
    /// Whether [`ToolEvent::Begun`] has been sent.
    pub(super) has_begun: bool,
}

/// Where a call stands, which says what it may look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// An object that is the whole answer.
    Answer,
    /// `<function=`; the name is not yet complete.
    TagName,
    /// Behind `<function=f>`.
    Tag,
    /// Behind `<|python_tag|>`.
    PythonTag,
}

/// How an answer ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// The model has ended it.
    Token,
    /// It was cut off.
    Cut,
}

/// What a character makes of a candidate.
pub(super) enum Taken {
    More,
    /// It is meant to be a call of this tool.
    Begun(String),
    /// It has ended by itself.
    Whole,
    /// It is no call, for this reason.
    No(&'static str),
}

impl Candidate {
    pub(super) fn new(place: Place, text: String) -> Candidate {
        Candidate { place, text, scanner: Scanner::default(), has_begun: false }
    }

    pub(super) fn take(&mut self, character: char) -> Taken {
        self.text.push(character);
        if self.text.len() > MAX_BYTES {
            return Taken::No("at most 1 MiB");
        }
        match self.place {
            Place::TagName => self.take_name(character),
            Place::Tag if self.scanner.has_ended() => {
                let rest = self.text[self.scanner.end()..].trim_start();
                match CLOSE_TAG.starts_with(rest) {
                    true if rest == CLOSE_TAG => Taken::Whole,
                    true => Taken::More,
                    false => Taken::No("</function> behind the arguments"),
                }
            }
            Place::Answer if self.scanner.has_ended() && !character.is_whitespace() => {
                Taken::No("nothing behind the call")
            }
            Place::PythonTag if !self.text.trim_start().starts_with('{') => self.take_python(),
            Place::Tag | Place::Answer | Place::PythonTag => self.take_json(character),
        }
    }

    fn take_name(&mut self, character: char) -> Taken {
        let name = &self.text[OPEN_TAG.len()..self.text.len() - character.len_utf8()];
        match character {
            '>' if name.is_empty() => Taken::No("a name"),
            '>' => {
                self.place = Place::Tag;
                self.has_begun = true;
                Taken::Begun(name.to_owned())
            }
            '<' | '{' | '}' => Taken::No("a name"),
            _ if character.is_whitespace() || name.len() >= MAX_NAME => Taken::No("a name"),
            _ => Taken::More,
        }
    }

    fn take_python(&mut self) -> Taken {
        match form::builtin_name(self.text.trim_start()) {
            Some(name) if !self.has_begun => {
                self.has_begun = true;
                Taken::Begun(name.to_owned())
            }
            _ => Taken::More,
        }
    }

    fn take_json(&mut self, character: char) -> Taken {
        match self.scanner.take(character, self.text.len()) {
            Seen::Nothing => Taken::More,
            Seen::NotAnObject => Taken::No("an object of arguments"),
            // The arguments' own keys, or the elements of a dictionary in Python.
            Seen::FirstKey(_) if self.place != Place::Answer => Taken::More,
            Seen::FirstKey(key) if form::KEYS.contains(&key.as_str()) => Taken::More,
            Seen::FirstKey(_) => Taken::No("a call"),
            Seen::Name(name) if !self.has_begun => {
                self.has_begun = true;
                Taken::Begun(name)
            }
            Seen::Name(_) => Taken::More,
        }
    }

    /// What it is, now that it is whole. Fails with what was expected.
    pub(super) fn form(&self, ending: Ending) -> Result<Form, String> {
        match self.place {
            Place::Answer => form::json(self.text.trim()),
            Place::TagName => Err("a name and its arguments".into()),
            Place::Tag => form::tag(&self.text),
            Place::PythonTag => {
                let text = self.text.trim();
                let form = match form::python(text) {
                    // A dictionary is code too.
                    Err(_) if text.starts_with('{') && !self.has_begun => Form::Code,
                    form => form?,
                };
                match (form, ending) {
                    (Form::Code, Ending::Cut) => Err("the end of the code".into()),
                    (form, _) => Ok(form),
                }
            }
        }
    }

    pub(super) fn give_up(&self, reason: &str, events: &mut Vec<ToolEvent>) {
        // Behind its control token even what has not begun is no text for the person.
        if self.has_begun || self.place == Place::PythonTag {
            let reason = format!("expected {reason}");
            events.push(ToolEvent::Malformed { text: self.text.clone(), reason });
        } else {
            say(&self.text, events);
        }
    }
}
