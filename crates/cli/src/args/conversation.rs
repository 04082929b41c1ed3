//! The words for what is to be continued, and for what its template is told.

use clap::Args;

use crate::ids::Ids;

/// What a conversation's template is told besides the messages.
#[derive(Debug, Args)]
pub(crate) struct ConversationArgs {
    /// A file with a JSON list of the functions that the model may call, as OpenAI's API takes them. Calls are
    /// printed as lines of JSON; nothing is run.
    #[arg(long, value_name = "FILE")]
    pub(crate) tools: Option<String>,
    /// Today's date for the model, as in "26 Jul 2024".
    #[arg(long, value_name = "DATE")]
    pub(crate) date_string: Option<String>,
}

/// What to continue: exactly one of these.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Ask {
    /// A text to continue as it stands. Control tokens in it are ordinary text.
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub(crate) prompt: Option<String>,
    /// A file with a JSON list of messages, each with role and content; - for stdin. Messages may have tool_calls, and
    /// the list may stand in an object with what else the template takes, as for Hugging Face's.
    #[arg(long, value_name = "FILE")]
    pub(crate) messages: Option<String>,
    /// Ids to continue, as in 1,2,3
    #[arg(long, value_name = "LIST")]
    pub(crate) ids: Option<Ids>,
}
