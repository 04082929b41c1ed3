//! Files that a tokenizer is made of.

use chat::{ChatError, Tokenizer};

use crate::Refusal;

/// A text with something in it for each kind of pre-tokenizer.
const TEXT: &str =
    "Hello   I'll pay 12345 €,\n\n  naïve 日本語 🙂 <|eot|> aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!   ";

/// `tokenizer.json`
pub fn tokenizer_json(bytes: &[u8]) -> Result<(), Refusal> {
    encode(&Tokenizer::from_tokenizer_json(bytes)?)
}

/// `tokenizer.model` of Meta.
pub fn tiktoken(bytes: &[u8]) -> Result<(), Refusal> {
    encode(&Tokenizer::from_tiktoken(bytes)?)
}

/// Text to ids and back. What comes back need not be the same: a vocabulary may lack bytes.
///
/// # Panics
/// If an id is none of the vocabulary's.
pub(crate) fn encode(tokenizer: &Tokenizer) -> Result<(), Refusal> {
    for ids in [tokenizer.encode(TEXT)?, tokenizer.encode_with_special(TEXT)?] {
        let size = tokenizer.vocab_size();
        assert!(ids.iter().all(|id| (*id as usize) < size), "{ids:?} of {size}");
        let mut stream = tokenizer.stream();
        let streamed: String = ids.iter().map(|id| stream.push(*id)).collect();
        drop((streamed, stream.finish(), tokenizer.decode(&ids)));
    }
    Ok(())
}

/// A byte for each token, and Llama 3.1's control tokens.
pub(crate) fn bytes_and_control_tokens() -> Result<Tokenizer, ChatError> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digit = |six_bits: u8| char::from(DIGITS[usize::from(six_bits % 64)]);
    let line = |byte: u8| format!("{}{}== {byte}\n", digit(byte >> 2), digit((byte & 3) << 4));
    Tokenizer::from_tiktoken((0..=255).map(line).collect::<String>().as_bytes())
}
