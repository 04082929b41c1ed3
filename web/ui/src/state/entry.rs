//! The conversation's entries: what was asked and what was answered.

use protocol::{FinishReason, Role, ToolCall};

/// One message as the page shows it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    /// Its key in the list.
    pub id: u32,
    /// The person's or the model's.
    pub role: Role,
    /// What is written. For an answer in progress: so far.
    pub text: String,
    /// What an answer wants to be run.
    pub wants: Vec<Wanted>,
    /// How an answer ended; `None` while it goes on, and for the person's messages.
    pub ending: Option<Ending>,
}

/// What an answer wants to be run. Nothing runs it yet.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Wanted {
    /// A tool, by its name: the arguments are still to come.
    Begun(String),
    /// A tool.
    Call(ToolCall),
    /// Code.
    Code(String),
}

impl Entry {
    /// Whether an answer has nothing to show.
    pub(crate) fn is_empty(&self) -> bool {
        self.text.is_empty() && self.wants.is_empty()
    }
}

/// How an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// As the worker says.
    Finished(FinishReason),
    /// With a failure; what text there is stays.
    Failed,
}
