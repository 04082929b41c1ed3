//! A conversation as the model was trained to read it.
//!
//! The model's own template renders the messages; what it writes round them becomes control tokens,
//! what they say stays ordinary text ([`crate::defuse`]).

mod context;

use minijinja::Environment;
use protocol::{ChatMessage, Content, Conversation, Message, Role};

use crate::defuse::Defuser;
use crate::special::Look;
use crate::tokenizer::check_length;
use crate::{ChatError, Tokenizer, jinja};
use context::Parsed;

/// For models without a template whose vocabulary has `<|im_start|>`.
const CHAT_ML: &str = "{% for message in messages %}\
     {{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}\
     {% endfor %}\
     {% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

/// For models without a template whose vocabulary has `<|start_header_id|>`: the part of Llama 3's that all have.
const LLAMA_3: &str = "{{ bos_token }}\
     {% for message in messages %}\
     {{ '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' + message['content'] | trim + '<|eot_id|>' }}\
     {% endfor %}\
     {% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}";

/// A model's chat template.
#[derive(Debug, Clone)]
pub struct Template {
    /// None if the model brings no template and is of no kind that has a usual one: it can still go on with plain text.
    environment: Option<Environment<'static>>,
    source: String,
    tokenizer: Tokenizer,
    date_string: Option<String>,
}

/// A rendered conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    /// As text, control tokens shown.
    pub text: String,
    /// As the model reads it.
    pub ids: Vec<u32>,
}

impl Template {
    /// Takes the model's template, or the usual one for its vocabulary if it brings none.
    ///
    /// Fails if the template can't be compiled. A model that has no template at all fails when it is to chat.
    pub fn new(source: Option<&str>, tokenizer: &Tokenizer) -> Result<Template, ChatError> {
        let source = source.or_else(|| usual(tokenizer));
        Ok(Template {
            environment: source.map(jinja::environment).transpose()?,
            source: source.unwrap_or_default().to_owned(),
            tokenizer: tokenizer.clone(),
            date_string: None,
        })
    }

    /// Lets the template tell the model today's date: local time in seconds since 1970.
    ///
    /// Llama 3.2's template asks for it; others ignore it. Without it they name a date of their own.
    pub fn with_local_time(mut self, seconds: i64) -> Template {
        if let Some(environment) = &mut self.environment {
            jinja::set_time(environment, seconds);
        }
        self
    }

    /// Sets `date_string`, which Llama 3.1's template takes in place of its own date, as in `26 Jul 2024`.
    pub fn with_date_string(self, date_string: &str) -> Template {
        Template { date_string: Some(date_string.to_owned()), ..self }
    }

    /// Renders a conversation up to where the model's answer begins.
    ///
    /// Fails if there is nothing to answer, if there is no template, or if it refuses the conversation or does not work.
    pub fn render(&self, messages: &[Message]) -> Result<Prompt, ChatError> {
        let messages: Vec<ChatMessage> = messages.iter().cloned().map(ChatMessage::from).collect();
        self.render_turn(&Conversation::from(messages))
    }

    /// As [`Template::render`], with tools, calls and results.
    pub fn render_turn(&self, conversation: &Conversation) -> Result<Prompt, ChatError> {
        check_turn(&conversation.messages)?;
        self.render_conversation(conversation)
    }

    /// Renders any conversation, as Hugging Face's `apply_chat_template` does: with tools, and without a question.
    ///
    /// Fails if there are no messages, if a part is no JSON, if there is no template, or if it refuses the
    /// conversation or does not work.
    pub fn render_conversation(&self, conversation: &Conversation) -> Result<Prompt, ChatError> {
        if conversation.messages.is_empty() {
            return Err(ChatError::EmptyConversation);
        }
        let date_string = conversation.date_string.as_ref().or(self.date_string.as_ref());
        let parsed = Parsed::new(conversation, date_string)?;
        let texts = parsed.texts();
        let defuser = Defuser::new(&texts, &self.source, self.tokenizer.special())?;
        let context = parsed.context(&self.tokenizer, &defuser);
        // What they share is not copied.
        let mut environment = self.environment.clone().ok_or(ChatError::NoTemplate)?;
        environment.set_fuel(Some(jinja::fuel(texts.len(), parsed.bytes())));
        let template = environment.get_template(jinja::NAME).map_err(jinja::failure)?;
        let text = template.render(context).map_err(jinja::failure)?;
        check_length(&text)?;
        self.encode(&text, &defuser)
    }

    /// Control tokens by id, the stretches between them as ordinary text.
    fn encode(&self, rendered: &str, defuser: &Defuser) -> Result<Prompt, ChatError> {
        let mut prompt = Prompt { text: String::with_capacity(rendered.len()), ids: Vec::new() };
        let mut at = 0;
        loop {
            let control = self.tokenizer.special().find(rendered, at, Look::Control);
            let end = control.as_ref().map_or(rendered.len(), |(range, _)| range.start);
            let ordinary = defuser.restore(&rendered[at..end]);
            prompt.ids.extend(self.tokenizer.encode(&ordinary)?);
            prompt.text.push_str(&ordinary);
            let Some((range, id)) = control else { return Ok(prompt) };
            at = range.end;
            prompt.text.push_str(&rendered[range]);
            prompt.ids.push(id);
        }
    }
}

/// Only a user's message that says something can be answered, or the result of a tool.
fn check_turn(messages: &[ChatMessage]) -> Result<(), ChatError> {
    let last = messages.last().ok_or(ChatError::EmptyConversation)?;
    match (last.role, &last.content) {
        (Role::User, Some(Content::Text(text))) if text.trim().is_empty() => Err(ChatError::EmptyPrompt),
        (Role::User | Role::Tool, _) => Ok(()),
        (other, _) => Err(ChatError::NotTheUsersTurn { found: role_name(other) }),
    }
}

fn role_name(role: Role) -> &'static str {
    match role {
        Role::System => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
        Role::Tool => "tool",
    }
}

fn usual(tokenizer: &Tokenizer) -> Option<&'static str> {
    let has = |token: &str| tokenizer.special().control().any(|control| control == token);
    if has("<|im_start|>") && has("<|im_end|>") {
        Some(CHAT_ML)
    } else if has("<|start_header_id|>") && has("<|end_header_id|>") && has("<|eot_id|>") {
        Some(LLAMA_3)
    } else {
        None
    }
}

#[cfg(test)]
mod tests;
