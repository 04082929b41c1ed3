//! Conversations with tools: what a template may be given beside plain messages.
//!
//! The names are those of OpenAI's chat API and of Hugging Face's templates.

use serde::{Deserialize, Serialize};

use crate::{Message, Role};

/// JSON as text. A prompt has the keys in the order in which they were written, and every digit of a number;
/// a parsed value keeps neither.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Json(pub String);

impl Json {
    /// Whether it is a list of nothing.
    pub fn is_empty_list(&self) -> bool {
        self.0.chars().filter(|character| !character.is_ascii_whitespace()).eq(['[', ']'])
    }
}

/// What a message says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// Ordinary text.
    Text(String),
    /// A value: the result of a tool, or a list of parts as in `[{"type": "text", "text": "Hi"}]`.
    Json(Json),
}

/// A function that the model wants to be called.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolCall {
    /// For the result to refer to; empty if there is none.
    #[serde(default)]
    pub id: String,
    /// The function.
    pub name: String,
    /// An object of argument names and values.
    pub arguments: Json,
}

/// A message of a conversation with tools. Control tokens in it stay text, wherever they stand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatMessage {
    /// Who wrote it.
    pub role: Role,
    /// What they wrote; a message that calls tools may say nothing.
    #[serde(default)]
    pub content: Option<Content>,
    /// What the model wants to be called.
    #[serde(default)]
    pub tool_calls: Vec<ToolCall>,
    /// Which call this is the result of.
    #[serde(default)]
    pub tool_call_id: Option<String>,
    /// Which tool's result this is.
    #[serde(default)]
    pub name: Option<String>,
}

/// A conversation, and what its template is told beside it. What is `None` is not there for the template.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conversation {
    /// The messages, oldest first.
    pub messages: Vec<ChatMessage>,
    /// Functions that may be called: a list of `{"type": "function", "function": {"name": …, "parameters": …}}`.
    #[serde(default)]
    pub tools: Option<Json>,
    /// Tools that Llama 3.1 was trained with: `brave_search`, `wolfram_alpha`, `code_interpreter`.
    #[serde(default)]
    pub builtin_tools: Option<Vec<String>>,
    /// Whether `tools` are described in the first user message (Llama 3.1's default) or in the system message.
    #[serde(default)]
    pub tools_in_user_message: Option<bool>,
    /// Today's date for the model, as in `26 Jul 2024`.
    #[serde(default)]
    pub date_string: Option<String>,
    /// Whatever else a template takes, by name, as Llama Guard's takes `categories`.
    #[serde(default)]
    pub template_kwargs: Vec<(String, Json)>,
    /// Whether the prompt ends where the model's answer begins.
    pub add_generation_prompt: bool,
}

impl From<Message> for ChatMessage {
    fn from(message: Message) -> ChatMessage {
        let (role, content) = (message.role, Some(Content::Text(message.content)));
        ChatMessage { role, content, tool_calls: Vec::new(), tool_call_id: None, name: None }
    }
}

impl From<Vec<ChatMessage>> for Conversation {
    fn from(messages: Vec<ChatMessage>) -> Conversation {
        Conversation {
            messages,
            tools: None,
            builtin_tools: None,
            tools_in_user_message: None,
            date_string: None,
            template_kwargs: Vec::new(),
            add_generation_prompt: true,
        }
    }
}
