//! Tool calls out of an answer, as it comes, in Llama 3.1's forms.
//!
//! ```text
//! {"name": "f", "parameters": {…}}                     alone, or behind <|python_tag|>; "type": "function" may be there,
//!                                                      "arguments" in place of "parameters", and either as text
//! <function=f>{…}</function>                           anywhere
//! <|python_tag|>brave_search.call(query="…")           a tool that the model was trained with
//! <|python_tag|>print(1)                               anything else is code
//! ```
//!
//! `<|eom_id|>` or `<|eot_id|>` ends them. What isn't exactly of such a form is not guessed at: it stays text.
//! The control token must be one: `<|python_tag|>` that is spelled out in ordinary text is ordinary text.
//!
//! The answer is read character by character, so that it does not matter how it was cut into tokens.

mod candidate;
mod form;
mod scanner;

use protocol::{ToolCall, ToolEvent};

use crate::Tokenizer;
use candidate::{Candidate, Ending, Place, Taken};
use form::Form;

const OPEN_TAG: &str = "<function=";
const CLOSE_TAG: &str = "</function>";

/// Reads one answer.
#[derive(Debug)]
pub struct ToolCallParser {
    python_tag: Option<u32>,
    /// Ends a message that is not the last of its turn.
    eom: Option<u32>,
    ends: Vec<u32>,
    /// Calls so far in the conversation, for their ids.
    calls: usize,
    wants_result: bool,
    state: State,
}

#[derive(Debug)]
enum State {
    /// White space so far.
    Start(String),
    /// Text for the person. What may be the beginning of a tag is held back.
    Text(String),
    /// What may be a call.
    Candidate(Candidate),
}

impl ToolCallParser {
    /// For an answer of the model with this tokenizer. `calls_before` is how many calls the conversation has: ids go on
    /// from there, as in `call_3`.
    pub fn new(tokenizer: &Tokenizer, calls_before: usize) -> ToolCallParser {
        ToolCallParser {
            python_tag: tokenizer.control_id("<|python_tag|>"),
            eom: tokenizer.control_id("<|eom_id|>"),
            ends: tokenizer.stop_ids().to_vec(),
            calls: calls_before,
            wants_result: false,
            state: State::Start(String::new()),
        }
    }

    /// Takes a token of the answer: its id, and the characters that it completes.
    pub fn push(&mut self, id: u32, text: &str) -> Vec<ToolEvent> {
        let mut events = Vec::new();
        text.chars().for_each(|character| self.character(character, &mut events));
        if Some(id) == self.python_tag {
            self.end(Ending::Cut, &mut events);
            self.state = State::Candidate(Candidate::new(Place::PythonTag, String::new()));
        } else if self.ends.contains(&id) {
            self.wants_result |= Some(id) == self.eom;
            self.end(Ending::Token, &mut events);
        }
        events
    }

    /// Says that no more comes but `text`, half a character if the answer ends in one: it was stopped, or has reached a
    /// limit.
    pub fn finish(&mut self, text: &str) -> Vec<ToolEvent> {
        let mut events = Vec::new();
        text.chars().for_each(|character| self.character(character, &mut events));
        self.end(Ending::Cut, &mut events);
        events
    }

    /// Whether the model goes on only when it has been told a result: it has called a tool, or has ended its message
    /// but not its turn.
    pub fn wants_result(&self) -> bool {
        self.wants_result
    }

    fn character(&mut self, character: char, events: &mut Vec<ToolEvent>) {
        match &mut self.state {
            State::Start(space) if character.is_whitespace() => space.push(character),
            State::Start(space) => {
                let space = std::mem::take(space);
                if character == '{' {
                    let mut candidate = Candidate::new(Place::Answer, space);
                    // An opening brace is nothing yet.
                    let _ = candidate.take(character);
                    self.state = State::Candidate(candidate);
                    return;
                }
                say(&space, events);
                self.state = State::Text(String::new());
                self.character(character, events);
            }
            State::Text(held) => {
                held.push(character);
                if held == OPEN_TAG {
                    let held = std::mem::take(held);
                    self.state = State::Candidate(Candidate::new(Place::TagName, held));
                } else if !OPEN_TAG.starts_with(held.as_str()) {
                    // The tag's first character is nowhere else in it.
                    let keep = usize::from(character == '<');
                    say(&held[..held.len() - keep], events);
                    held.drain(..held.len() - keep);
                }
            }
            State::Candidate(candidate) => match candidate.take(character) {
                Taken::More => {}
                Taken::Begun(name) => events.push(ToolEvent::Begun { name }),
                Taken::Whole => self.end(Ending::Token, events),
                Taken::No(reason) => {
                    candidate.give_up(reason, events);
                    self.state = State::Text(String::new());
                }
            },
        }
    }

    fn end(&mut self, ending: Ending, events: &mut Vec<ToolEvent>) {
        match std::mem::replace(&mut self.state, State::Text(String::new())) {
            State::Start(text) | State::Text(text) => say(&text, events),
            State::Candidate(candidate) => match candidate.form(ending) {
                Ok(Form::Call { name, arguments }) => {
                    if !candidate.has_begun {
                        events.push(ToolEvent::Begun { name: name.clone() });
                    }
                    self.calls += 1;
                    self.wants_result = true;
                    let id = format!("call_{}", self.calls);
                    events.push(ToolEvent::Call { call: ToolCall { id, name, arguments } });
                }
                Ok(Form::Code) => {
                    self.wants_result = true;
                    events.push(ToolEvent::Code { code: candidate.text });
                }
                Err(reason) => candidate.give_up(&reason, events),
            },
        }
    }
}

/// Adds to the text that is there for the person.
fn say(text: &str, events: &mut Vec<ToolEvent>) {
    if let Some(ToolEvent::Text { text: said }) = events.last_mut() {
        said.push_str(text);
    } else if !text.is_empty() {
        events.push(ToolEvent::Text { text: text.to_owned() });
    }
}

#[cfg(test)]
mod tests;
