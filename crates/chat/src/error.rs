//! What can go wrong, in clauses that `engine` makes sentences of.
//!
//! What comes out of a model file is quoted, escaped and cut, so that a hostile one can't fill the screen.

/// Why a vocabulary or a template can't be used, or a conversation not be rendered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChatError {
    /// No tokens at all.
    #[error("the model's vocabulary is empty; expected at least one token")]
    EmptyVocabulary,
    /// Tokens and their types don't pair up.
    #[error("the model's vocabulary has {tokens} tokens but {token_types} token types; expected one for each")]
    TokenTypes {
        /// How many tokens.
        tokens: usize,
        /// How many types.
        token_types: usize,
    },
    /// Two ids share a text, so that encoding would be a matter of luck.
    #[error("the model's vocabulary has {token} twice, as token {first} and as token {second}")]
    DuplicateToken {
        /// The token, quoted.
        token: String,
        /// Its lower id.
        first: u32,
        /// Its higher id.
        second: u32,
    },
    /// A merge that isn't a pair of tokens which make a third.
    #[error("merge {rank} of the model's vocabulary, {merge}, needs the token {missing}, which isn't an ordinary token")]
    Merge {
        /// Its place in the list, from 0.
        rank: usize,
        /// The merge, quoted.
        merge: String,
        /// What was looked for, quoted.
        missing: String,
    },
    /// A special token outside the vocabulary.
    #[error("the model's {name} token is {id}, but its vocabulary has only {tokens} tokens, from 0")]
    TokenId {
        /// Which: `bos`, `eos`, `eot`, `eom`.
        name: &'static str,
        /// Its id.
        id: u32,
        /// How many tokens.
        tokens: usize,
    },
    /// A pre-tokenizer that isn't known; guessing would give slightly wrong ids.
    #[error("the model's pre-tokenizer {found} isn't supported; supported are {supported}")]
    PreTokenizer {
        /// Its name, quoted.
        found: String,
        /// Names that are.
        supported: String,
    },
    /// The BPE library refused the vocabulary.
    #[error("the model's vocabulary can't be used: {reason}")]
    Bpe {
        /// Its message.
        reason: String,
    },
    /// The file has no template, and its vocabulary doesn't show which format it was trained on.
    #[error("the model has no chat template, and isn't of a kind whose format is known; it can only continue plain text")]
    NoTemplate,
    /// The template isn't Jinja that is understood.
    #[error("the model's chat template can't be read: {reason}")]
    TemplateSyntax {
        /// What is wrong, and where.
        reason: String,
    },
    /// The template failed with this conversation.
    #[error("the model's chat template failed: {reason}")]
    TemplateFailed {
        /// What went wrong, and where.
        reason: String,
    },
    /// The template goes on for too long, perhaps for ever.
    #[error("the model's chat template was stopped: it ran for too long or wrote more than {limit} bytes")]
    TemplateRunaway {
        /// The most that it may write.
        limit: usize,
    },
    /// The template itself said no, by `raise_exception`.
    #[error("the model's chat template refuses this conversation: {reason}")]
    Refused {
        /// Its words, quoted.
        reason: String,
    },
    /// Nothing was said yet.
    #[error("the conversation is empty; type something first")]
    EmptyConversation,
    /// Nothing was asked.
    #[error("the last message is empty; type something first")]
    EmptyMessage,
    /// There is nothing to answer.
    #[error("the last message is from the {role}; expected one from the user, which the model then answers")]
    NotFromUser {
        /// Who wrote it.
        role: &'static str,
    },
    /// More than any context holds.
    #[error("the conversation has {bytes} bytes, but at most {limit} can be read; shorten it")]
    ConversationTooLong {
        /// Bytes of all contents.
        bytes: usize,
        /// The most.
        limit: usize,
    },
    /// Contents hold all 32 code points that Unicode keeps out of text.
    #[error("the conversation holds all of the noncharacters U+FDD0 to U+FDEF; remove at least one of them")]
    NoMarker,
    /// The pre-tokenizer's expression gave up.
    #[error("the text can't be split into words at byte {at}; shorten the long run of characters there")]
    Unsplittable {
        /// Where in the text.
        at: usize,
    },
}

impl ChatError {
    /// Whether the person can mend it by typing something else; otherwise the model file is at fault.
    pub fn is_about_the_conversation(&self) -> bool {
        matches!(
            self,
            ChatError::Refused { .. }
                | ChatError::EmptyConversation
                | ChatError::EmptyMessage
                | ChatError::NotFromUser { .. }
                | ChatError::ConversationTooLong { .. }
                | ChatError::NoMarker
                | ChatError::Unsplittable { .. }
        )
    }
}

/// Most characters of a file's own text in a message.
const MAX_QUOTED: usize = 120;

/// Text from a file, safe to show: escaped, cut, in quotes.
pub(crate) fn quote(text: &str) -> String {
    format!("\"{}\"", clean(text))
}

/// The same without quotes, for messages that quote their parts themselves.
pub(crate) fn clean(text: &str) -> String {
    let mut shown: String = text.chars().take(MAX_QUOTED).flat_map(char::escape_debug).collect();
    if text.chars().nth(MAX_QUOTED).is_some() {
        shown.push('…');
    }
    shown
}
