//! What is asked: a conversation, plain text or ids, as ids that fit the model.

use chat::{Prompt, ToolCallParser};
use protocol::{Conversation, Message, Role};

use crate::{Engine, EngineError};

impl Engine {
    /// Renders a conversation with the model's template.
    pub fn render(&self, messages: &[Message]) -> Result<Prompt, EngineError> {
        Ok(self.template.as_ref().ok_or(EngineError::NoTokenizer)?.render(messages)?)
    }

    /// Renders a conversation with tools, as [`chat::Template::render_conversation`] does.
    pub fn render_conversation(&self, conversation: &Conversation) -> Result<Prompt, EngineError> {
        Ok(self.template.as_ref().ok_or(EngineError::NoTokenizer)?.render_conversation(conversation)?)
    }

    /// Renders a conversation whose last message is to be answered, as [`chat::Template::render_turn`] does.
    pub fn render_turn(&self, conversation: &Conversation) -> Result<Prompt, EngineError> {
        Ok(self.template.as_ref().ok_or(EngineError::NoTokenizer)?.render_turn(conversation)?)
    }

    /// The ids that a conversation begins with, whatever is asked first; none if the model has no template.
    pub(crate) fn beginning(&self) -> Result<Vec<u32>, EngineError> {
        let Some(template) = &self.template else { return Ok(Vec::new()) };
        let ids = |content: &str| {
            let question = Message { role: Role::User, content: content.to_owned() };
            Ok::<_, EngineError>(template.render_turn(&Conversation::from(vec![question.into()]))?.ids)
        };
        let (one, other) = (ids("one")?, ids("2")?);
        let common = one.iter().zip(&other).take_while(|(a, b)| a == b).count();
        Ok(one.into_iter().take(common).collect())
    }

    /// What tells calls from text in the answer to a conversation, if it has tools.
    pub fn call_parser(&self, conversation: &Conversation) -> Option<ToolCallParser> {
        let has_tools = conversation.tools.is_some() || conversation.builtin_tools.is_some();
        let calls = || conversation.messages.iter().map(|message| message.tool_calls.len()).sum();
        has_tools.then(|| ToolCallParser::new(&self.tokenizer, calls()))
    }

    /// The ids of a text to be continued as it stands: no template, and control tokens in it are ordinary text.
    pub fn encode_prompt(&self, text: &str) -> Result<Vec<u32>, EngineError> {
        self.template.as_ref().ok_or(EngineError::NoTokenizer)?;
        let ids = self.tokenizer.encode(text)?;
        if ids.is_empty() {
            return Err(EngineError::EmptyPrompt);
        }
        Ok(self.tokenizer.bos_before_text().into_iter().chain(ids).collect())
    }

    /// Fails unless `ids` can be read with room for at least one more.
    pub(crate) fn check(&self, ids: &[u32]) -> Result<(), EngineError> {
        let (tokens, context) = (ids.len(), self.backend.context());
        let last = self.vocab_size as u32 - 1;
        if ids.is_empty() {
            return Err(EngineError::EmptyPrompt);
        }
        if tokens >= context {
            return Err(EngineError::PromptTooLong { tokens, context });
        }
        match ids.iter().find(|id| **id > last) {
            Some(id) => Err(EngineError::NoSuchToken { id: *id, last }),
            None => Ok(()),
        }
    }
}
