//! What turns text into ids and back, made of what a checkpoint brings.

use chat::{Template, Tokenizer, Vocabulary};
use format::{Checkpoint, TokenizerConfig, TokenizerFile};

use crate::EngineError;

/// The tokenizer of a model.
///
/// # Errors
/// If the checkpoint brings none, or one that we do not run.
pub fn tokenizer(checkpoint: &Checkpoint) -> Result<Tokenizer, EngineError> {
    let tokenizer = match &checkpoint.tokenizer {
        TokenizerFile::Gguf(vocabulary) => from_gguf(vocabulary.clone())?,
        TokenizerFile::HuggingFace { json, config } => named(Tokenizer::from_tokenizer_json(json)?, config)?,
        TokenizerFile::Tiktoken { model, config } => named(Tokenizer::from_tiktoken(model)?, config)?,
        TokenizerFile::Absent => return Err(EngineError::NoTokenizer),
    };
    let stops = checkpoint.generation.eos_token_ids.iter().copied();
    // A base model's list may name tokens of its chat model.
    let stops: Vec<u32> = stops.filter(|id| (*id as usize) < tokenizer.vocab_size()).collect();
    Ok(tokenizer.with_stop_ids(&stops)?)
}

/// Names every id and spells none: for a checkpoint without a tokenizer, which takes ids and gives ids.
pub(crate) fn nameless(checkpoint: &Checkpoint) -> Result<Tokenizer, EngineError> {
    const CONTROL: u32 = 3;
    let ids = 0..checkpoint.config.vocab_size;
    let nameless = Tokenizer::from_vocabulary(Vocabulary {
        pre: "default".to_owned(),
        tokens: ids.clone().map(|id| format!("<|{id}|>")).collect(),
        token_types: ids.map(|_| CONTROL).collect(),
        ..Vocabulary::default()
    })?;
    Ok(nameless.with_stop_ids(&checkpoint.generation.eos_token_ids)?)
}

/// The chat template of a model.
pub fn template(checkpoint: &Checkpoint, tokenizer: &Tokenizer) -> Result<Template, EngineError> {
    Ok(Template::new(checkpoint.chat_template.as_deref(), tokenizer)?)
}

fn from_gguf(vocabulary: format::Tokenizer) -> Result<Tokenizer, EngineError> {
    Ok(Tokenizer::from_vocabulary(Vocabulary {
        pre: vocabulary.pre,
        tokens: vocabulary.tokens,
        token_types: vocabulary.token_types,
        merges: vocabulary.merges,
        bos_token_id: vocabulary.bos_token_id,
        eos_token_id: vocabulary.eos_token_id,
        eot_token_id: vocabulary.eot_token_id,
        eom_token_id: vocabulary.eom_token_id,
        add_bos_token: vocabulary.add_bos_token,
    })?)
}

/// With the begin and the end of text that `tokenizer_config.json` names.
fn named(tokenizer: Tokenizer, config: &TokenizerConfig) -> Result<Tokenizer, EngineError> {
    let id = |name: &Option<String>| name.as_deref().and_then(|name| tokenizer.control_id(name));
    let (bos, eos) = (id(&config.bos_token), id(&config.eos_token));
    let mut named = tokenizer.clone();
    if let Some(bos) = bos {
        named = named.with_bos_token_id(bos)?;
    }
    if let Some(eos) = eos {
        named = named.with_eos_token_id(eos)?;
    }
    Ok(named)
}
