//! What an answer of a model that knows tools turns out to be.

use serde::{Deserialize, Serialize};

use crate::ToolCall;

/// A part of an answer, in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolEvent {
    /// Text for the person.
    Text {
        /// A piece of it.
        text: String,
    },
    /// The model has begun to call a tool. A `Call` or a `Malformed` follows.
    Begun {
        /// The tool.
        name: String,
    },
    /// A tool is to be called.
    Call {
        /// The call.
        call: ToolCall,
    },
    /// Code is to be run by the code interpreter.
    Code {
        /// All of it.
        code: String,
    },
    /// What looked like a call is none. Nothing is to be run.
    Malformed {
        /// All of it, to be shown as text.
        text: String,
        /// What was expected.
        reason: String,
    },
}
