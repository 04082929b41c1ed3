//! What can be said of a model before its weights are there: its header, tokenizer and template.

use chat::{Template, Tokenizer, Vocabulary};
use format::{Checkpoint, FormatError, Gguf};
use store::Source;

use crate::EngineError;

/// First bytes to ask for. Half of all models have their header in them, Llama 3's 8 MB take three more requests.
const FIRST_BYTES: u64 = 1 << 20;

/// Reads the header alone, by ranges that double, and nothing of the weights.
///
/// # Errors
/// If the bytes don't come, or if they are not the header of a GGUF file.
pub async fn read_header<S: Source>(source: &S) -> Result<Gguf, EngineError> {
    let size = source.size().await?;
    let mut head = Vec::new();
    let mut wanted = FIRST_BYTES;
    loop {
        let have = head.len() as u64;
        source.read(have..wanted.min(size), &mut head, &mut |_| {}).await?;
        match Gguf::parse(&head, size) {
            Err(FormatError::NeedMore { need, .. }) => wanted = need.max(2 * head.len() as u64),
            gguf => return Ok(gguf?),
        }
    }
}

/// The tokenizer of a model.
pub fn tokenizer(checkpoint: &Checkpoint) -> Result<Tokenizer, EngineError> {
    let tokenizer = checkpoint.tokenizer.clone();
    Ok(Tokenizer::from_vocabulary(Vocabulary {
        pre: tokenizer.pre,
        tokens: tokenizer.tokens,
        token_types: tokenizer.token_types,
        merges: tokenizer.merges,
        bos_token_id: tokenizer.bos_token_id,
        eos_token_id: tokenizer.eos_token_id,
        eot_token_id: tokenizer.eot_token_id,
        eom_token_id: tokenizer.eom_token_id,
        add_bos_token: tokenizer.add_bos_token,
    })?)
}

/// The chat template of a model.
pub fn template(checkpoint: &Checkpoint, tokenizer: &Tokenizer) -> Result<Template, EngineError> {
    Ok(Template::new(checkpoint.chat_template.as_deref(), tokenizer)?)
}
