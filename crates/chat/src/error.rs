//! What can be wrong with a tokenizer, a template, or a conversation.

/// Why there are no ids.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChatError {
    /// The vocabulary contradicts itself.
    #[error("The model's vocabulary is damaged: {field}: expected {expected}, found {found}.")]
    Vocabulary {
        /// Which part of it.
        field: String,
        /// What may stand there.
        expected: String,
        /// What stands there.
        found: String,
    },
    /// A way of splitting text that we do not know. To guess would give wrong ids that look right.
    #[error("The model's pre-tokenizer {found:?} is not supported; Pronk knows {supported}.")]
    PreTokenizer {
        /// Its name in the file.
        found: String,
        /// The names that are known.
        supported: String,
    },
    /// The crate that merges has failed, which our checks are there to prevent.
    #[error("The tokenizer failed: {}.", shown(detail))]
    Tokenizer {
        /// What it says.
        detail: String,
    },
    /// A file of the tokenizer can't be read.
    #[error("The model's {file} is damaged: {}.", shown(detail))]
    TokenizerFile {
        /// Its name.
        file: &'static str,
        /// What is wrong, and where.
        detail: String,
    },
    /// A tokenizer asks for something that we do not run. To leave it out would give wrong ids that look right.
    #[error(
        "The model's tokenizer asks for the {what} {found}, which Pronk does not have; it has {supported}."
    )]
    UnsupportedTokenizer {
        /// Which part of it.
        what: &'static str,
        /// What it asks for.
        found: String,
        /// What we run.
        supported: &'static str,
    },
    /// A regular expression of the pre-tokenizer can't be run as it is meant.
    #[error("The model's tokenizer has an expression that can't be run: {reason}{}.", after_colon(pattern))]
    Expression {
        /// How it begins.
        pattern: String,
        /// Why not.
        reason: String,
    },
    /// The pre-tokenizer's expressions go over the text again and again.
    #[error("The model's tokenizer takes far too long for this text. Shorten it, or take another model.")]
    PreTokenizerLimit,
    /// More text than fits any context.
    #[error("The text has {bytes} bytes, and at most {limit} can be read. Shorten it.")]
    TooLong {
        /// Its length.
        bytes: usize,
        /// The most that is read.
        limit: usize,
    },
    /// The model brings no template, and its vocabulary does not tell how it was trained to chat.
    #[error(
        "The model has no chat template, so it is probably not made for chat. Take its \"Instruct\" variant."
    )]
    NoTemplate,
    /// A tool, a result or an argument is no JSON.
    #[error("The conversation has {what} that can't be read as JSON: {}.", shown(detail))]
    Json {
        /// What it is meant to be.
        what: String,
        /// What is wrong, and where.
        detail: String,
    },
    /// A conversation is not of the form that is expected.
    #[error("The conversation can't be read: {}.", shown(detail))]
    Conversation {
        /// What was expected and found.
        detail: String,
    },
    /// The template can't be read or run.
    #[error("The model's chat template does not work: {}.", shown(detail))]
    Template {
        /// What the template engine says.
        detail: String,
    },
    /// The template goes on for too long, or too deep.
    #[error("The model's chat template does not come to an end: {}. Don't use this model.", shown(detail))]
    TemplateLimit {
        /// Which limit it has run into.
        detail: String,
    },
    /// The template does not accept the conversation.
    #[error("The model's chat template refuses this conversation: {}", shown(message))]
    Refused {
        /// What the template's author says.
        message: String,
    },
    /// There are no messages.
    #[error("The conversation is empty; type something first.")]
    EmptyConversation,
    /// The last message says nothing.
    #[error("The message is empty; type something first.")]
    EmptyPrompt,
    /// The last message is not for the model to answer.
    #[error("The last message must be the user's, found the {found}'s.")]
    NotTheUsersTurn {
        /// Whose it is.
        found: &'static str,
    },
    /// Contents that spell control tokens can't be told from the template's own.
    #[error(
        "A message has the text of a control token together with every marker that could protect it. Shorten it."
    )]
    NoMarkerLeft,
}

impl ChatError {
    /// Whether another conversation would do, or else the model is at fault.
    pub fn is_about_the_conversation(&self) -> bool {
        matches!(
            self,
            ChatError::TooLong { .. }
                | ChatError::Refused { .. }
                | ChatError::EmptyConversation
                | ChatError::EmptyPrompt
                | ChatError::NotTheUsersTurn { .. }
                | ChatError::NoMarkerLeft
                | ChatError::Json { .. }
                | ChatError::Conversation { .. }
        )
    }

    pub(crate) fn tokenizer(error: tokenizers::Error) -> ChatError {
        ChatError::Tokenizer { detail: error.to_string() }
    }

    pub(crate) fn expression(reason: impl ToString) -> ChatError {
        ChatError::Expression { pattern: String::new(), reason: reason.to_string() }
    }

    pub(crate) fn vocabulary(
        field: impl Into<String>,
        expected: impl Into<String>,
        found: impl ToString,
    ) -> ChatError {
        ChatError::Vocabulary { field: field.into(), expected: expected.into(), found: found.to_string() }
    }
}

/// A file's text, cut and with quotes, to be shown in a sentence.
pub(crate) fn quote(text: &str) -> String {
    format!("{:?}", text.chars().take(80).collect::<String>())
}

/// What another crate or a template's author says, which may quote a file at length: cut, without characters that move
/// the cursor or turn the text behind them.
fn shown(message: &str) -> String {
    const SHOWN: usize = 400;
    let turns =
        |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let mut shown = String::new();
    for character in message.chars() {
        match character {
            _ if shown.len() >= SHOWN => {
                shown.push_str(" …");
                break;
            }
            '\n' => shown.push(' '),
            _ if character.is_control() || turns(character) => shown.extend(character.escape_unicode()),
            _ => shown.push(character),
        }
    }
    shown
}

fn after_colon(pattern: &str) -> String {
    if pattern.is_empty() { String::new() } else { format!(": {pattern}") }
}
