//! What the page asks of the worker.

use serde::{Deserialize, Serialize};

use crate::{ChatMessage, Json, LoadOptions, ModelSource, Sampling};

/// One wish of the page. Every answer is an [`Event`](crate::Event).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// Loads a model, in place of the one that is loaded.
    /// A `ModelSource::File` travels with the browser's `File`s beside this value, under the key `files`.
    Load {
        /// Where its bytes come from.
        source: ModelSource,
        /// How.
        #[serde(default)]
        options: LoadOptions,
    },
    /// Answers the last message of a conversation.
    Generate {
        /// The page's number for this answer; every event about it carries the number back.
        turn: u32,
        /// The whole conversation, oldest first. What has not changed since the last turn is not computed again.
        messages: Vec<ChatMessage>,
        /// Functions that the model may call: a list of
        /// `{"type": "function", "function": {"name": …, "parameters": …}}`. With it, calls come as
        /// [`Event::Tool`](crate::Event::Tool); nothing is run. An empty list is as good as none.
        #[serde(default)]
        tools: Option<Json>,
        /// How to choose tokens and when to stop.
        options: GenerateOptions,
    },
    /// Measures the loaded model on its device. What was in the KV cache is forgotten.
    Benchmark {
        /// Whether kernels are tried before.
        #[serde(default)]
        trials: Trials,
    },
    /// Ends the answer or the benchmark in progress after the token in flight, or the load in progress after the piece in
    /// flight.
    Stop,
    /// Removes a model's stored bytes.
    Forget {
        /// The model's address, as in `ModelSource::Url`.
        url: String,
    },
}

/// Whether a benchmark tries kernels. What comes of it holds from the next load on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Trials {
    /// No: what is known from the load is reported.
    #[default]
    Known,
    /// Yes, whatever is known.
    Anew,
}

/// Who wrote a message. The names are the chat templates' own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Standing instructions.
    System,
    /// The person.
    User,
    /// The model.
    Assistant,
    /// The result of a tool. Llama 3.1's own name for it is read too.
    #[serde(alias = "ipython")]
    Tool,
}

/// One message of a conversation. `content` is ordinary text: control tokens in it stay text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Who wrote it.
    pub role: Role,
    /// What they wrote.
    pub content: String,
}

/// How an answer is made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct GenerateOptions {
    /// Most tokens to generate; `None` means until the context is full.
    pub max_tokens: Option<u32>,
    /// How tokens are drawn.
    pub sampling: Sampling,
}

impl Default for GenerateOptions {
    fn default() -> GenerateOptions {
        GenerateOptions { max_tokens: Some(1024), sampling: Sampling::default() }
    }
}
