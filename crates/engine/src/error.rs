//! What can go wrong, with the kind that tells the page what to offer.

use chat::ChatError;
use cpu::CpuError;
use format::FormatError;
use gpu::GpuError;
use llama::LlamaError;
use protocol::{Failure, FailureKind};
use store::StoreError;

/// Every failure of a load or an answer. Each message is a sentence for the person, shown once.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The bytes did not come, or did not stay.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file is not a model that we run.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// The tokenizer or the template.
    #[error(transparent)]
    Chat(#[from] ChatError),
    /// The device, or the model on it.
    #[error(transparent)]
    Llama(#[from] LlamaError),
    /// The model on the CPU.
    #[error(transparent)]
    Cpu(#[from] CpuError),
    /// A folder in which there is no model.
    #[error(
        "{name} is no model: expected a GGUF file, or a folder with a config.json, mlc-chat-config.json or params.json; check the path or the address"
    )]
    NoModel {
        /// What was asked for.
        name: String,
    },
    /// The model's files bring nothing to turn text into ids.
    #[error(
        "this model came without a tokenizer (tokenizer.json or tokenizer.model), so it can be given ids only"
    )]
    NoTokenizer,
    /// Nothing was asked.
    #[error("the prompt is empty; type something first")]
    EmptyPrompt,
    /// The conversation does not fit.
    #[error(
        "the conversation takes {tokens} tokens, and an answer at least one more, but the context holds {context}; \
         start a new chat, shorten the message, or load the model with a longer context"
    )]
    PromptTooLong {
        /// Tokens of the rendered prompt.
        tokens: usize,
        /// Tokens that the KV cache holds.
        context: usize,
    },
    /// An id that the model does not have.
    #[error("token {id} does not exist; this model has tokens 0 to {last}")]
    NoSuchToken {
        /// The id.
        id: u32,
        /// The highest one.
        last: u32,
    },
    /// A setting of how tokens are drawn that is out of its bounds.
    #[error("{name} is {found}, but must be {bounds}; change it and ask again")]
    Sampling {
        /// Its name in the protocol.
        name: String,
        /// Asked for.
        found: String,
        /// What may be asked for.
        bounds: String,
    },
    /// A draft model whose tokens are others.
    #[error(
        "token {id} is {expected:?}, but {found:?} in the draft model; take a smaller model of the same family"
    )]
    OtherVocabulary {
        /// The first token that differs.
        id: u32,
        /// Its text in the model.
        expected: String,
        /// Its text in the draft model.
        found: String,
    },
    /// Whoever computed half of the layers has gone.
    #[error(
        "the second worker, which computed half of the model, has stopped ({reason}); load the model again"
    )]
    Deputy {
        /// What the platform says.
        reason: String,
    },
    /// The device computed something that is no number.
    #[error(
        "the model's output is not a number: the file or the GPU is damaged; load the model again, or try another device"
    )]
    NotANumber,
}

impl From<GpuError> for EngineError {
    fn from(error: GpuError) -> EngineError {
        EngineError::Llama(LlamaError::Gpu(error))
    }
}

impl EngineError {
    /// What the page needs to know.
    pub fn failure(&self) -> Failure {
        Failure { kind: self.kind(), message: sentence(&self.to_string()) }
    }

    fn kind(&self) -> FailureKind {
        match self {
            EngineError::Store(error) => match error.kind() {
                store::Kind::Network => FailureKind::Network,
                store::Kind::Storage => FailureKind::Storage,
                store::Kind::File => FailureKind::ModelFile,
            },
            EngineError::Cpu(error) => match error {
                CpuError::OutOfMemory { .. }
                | CpuError::ContextOutOfMemory { .. }
                | CpuError::TooLarge { .. } => FailureKind::OutOfMemory,
                CpuError::ContextTooLong { .. } => FailureKind::LoadOptions,
                CpuError::NoOrder { .. } | CpuError::BrokenOff { .. } => FailureKind::Internal,
                _ => FailureKind::ModelFile,
            },
            EngineError::Format(_)
            | EngineError::NotANumber
            | EngineError::NoTokenizer
            | EngineError::NoModel { .. }
            | EngineError::OtherVocabulary { .. } => FailureKind::ModelFile,
            EngineError::Chat(error) if error.is_about_the_conversation() => FailureKind::Prompt,
            EngineError::Chat(_) => FailureKind::ModelFile,
            EngineError::Llama(LlamaError::Gpu(error)) => match error {
                GpuError::NoAdapter { .. }
                | GpuError::NoDevice { .. }
                | GpuError::NoSubgroups { .. }
                | GpuError::NoInt8 { .. }
                | GpuError::NoHalves { .. } => FailureKind::NoWebGpu,
                GpuError::TooLarge { .. } | GpuError::OutOfMemory { .. } => FailureKind::OutOfMemory,
                GpuError::Lost { .. } | GpuError::NoAnswer { .. } => FailureKind::DeviceLost,
                GpuError::Refused { .. } => FailureKind::Internal,
            },
            EngineError::Llama(LlamaError::Context { .. } | LlamaError::ContextTooLong { .. }) => {
                FailureKind::LoadOptions
            }
            EngineError::Llama(_) => FailureKind::ModelFile,
            EngineError::Deputy { .. } => FailureKind::DeviceLost,
            EngineError::Sampling { .. } => FailureKind::Sampling,
            EngineError::EmptyPrompt
            | EngineError::PromptTooLong { .. }
            | EngineError::NoSuchToken { .. } => FailureKind::Prompt,
        }
    }
}

/// Error messages are written to be joined to others; alone they begin with a capital and end with a full stop.
/// A name that they begin with, of a file or an address, stays as it is.
fn sentence(message: &str) -> String {
    let message = message.trim_end_matches('.');
    let word = message.split(' ').next().unwrap_or_default();
    match message.split_at_checked(1) {
        Some((first, rest)) if word.bytes().all(|byte| byte.is_ascii_alphabetic()) => {
            format!("{}{rest}.", first.to_ascii_uppercase())
        }
        _ => format!("{message}."),
    }
}

#[cfg(test)]
mod tests {
    use format::TensorName;

    use super::*;

    #[track_caller]
    fn check(error: EngineError, kind: FailureKind, start: &str) {
        let failure = error.failure();
        assert_eq!(failure.kind, kind, "{}", failure.message);
        assert!(failure.message.starts_with(start) && failure.message.ends_with('.'), "{}", failure.message);
    }

    #[test]
    fn failures_are_sentences_with_their_kind() {
        check(EngineError::EmptyPrompt, FailureKind::Prompt, "The prompt is empty");
        check(
            GpuError::Lost { reason: "driver reset".to_string() }.into(),
            FailureKind::DeviceLost,
            "The GPU was lost (driver reset)",
        );
        check(
            GpuError::NoAdapter { found: "none".to_string() }.into(),
            FailureKind::NoWebGpu,
            "No GPU adapter",
        );
        check(
            GpuError::OutOfMemory { what: "the KV cache".to_string() }.into(),
            FailureKind::OutOfMemory,
            "The device ran out",
        );
        check(
            CpuError::TooLarge { needed: 6_500_000_000, most: 7 << 29 }.into(),
            FailureKind::OutOfMemory,
            "The model's weights take 6.05 GiB on the CPU, where at most 3.50 GiB can be held; choose a smaller model",
        );
        check(
            CpuError::OutOfMemory { tensor: TensorName::EmbedTokens, weights: 9 }.into(),
            FailureKind::OutOfMemory,
            "There is not enough memory for model.embed_tokens.weight with its 9 weights; choose a smaller model",
        );
        check(
            CpuError::ContextOutOfMemory { tokens: 640, bytes: 1 << 19 }.into(),
            FailureKind::OutOfMemory,
            "There is not enough memory for the keys and values of more than 640 tokens: 512 KiB more are needed",
        );
        check(
            CpuError::ContextTooLong { asked: 8192, most: 4096 }.into(),
            FailureKind::LoadOptions,
            "A context of 8192 tokens was asked for, but beside the model's weights the CPU can hold the keys and values of at \
             most 4096; ask for fewer, or choose a smaller model.",
        );
        check(CpuError::NoOrder { found: 9 }.into(), FailureKind::Internal, "A worker was told 9");
        check(
            CpuError::Format(FormatError::unsupported_type("Q9".to_owned())).into(),
            FailureKind::ModelFile,
            "",
        );
        check(
            EngineError::PromptTooLong { tokens: 9, context: 8 },
            FailureKind::Prompt,
            "The conversation takes 9 tokens, and an answer at least one more, but the context holds 8; start",
        );
        check(
            LlamaError::Context { asked: 0, most: 8 }.into(),
            FailureKind::LoadOptions,
            "A context of 0 tokens was asked for, but the model has at most 8",
        );
        check(
            StoreError::Unreadable { name: "model.gguf".to_string(), detail: "gone".to_string() }.into(),
            FailureKind::ModelFile,
            "model.gguf can't be read (gone)",
        );
    }
}
