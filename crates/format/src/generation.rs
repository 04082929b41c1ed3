//! How a model's makers want text generated with it: `generation_config.json`, as far as it is heeded.

/// What a checkpoint says of generating. Everything may be absent.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GenerationConfig {
    /// Where generation ends: every id that the files name.
    pub eos_token_ids: Vec<u32>,
    /// Begin of text.
    pub bos_token_id: Option<u32>,
    /// Whether to draw from the distribution, rather than to take the likeliest token.
    pub do_sample: Option<bool>,
    /// What logits are divided by.
    pub temperature: Option<f32>,
    /// How many of the likeliest tokens are drawn from.
    pub top_k: Option<u32>,
    /// The least probability, in sum, of the tokens that are drawn from.
    pub top_p: Option<f32>,
    /// What the logits of tokens that have been said are divided by, or multiplied where they are below zero.
    pub repetition_penalty: Option<f32>,
}
