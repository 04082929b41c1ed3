//! `mlc-chat-config.json`: the dimensions, under the names of `config.json` but for RoPE's base and the context.

use crate::error::{FormatError, Part, quote};
use crate::hub::generation::{from_fields, token_ids};
use crate::hub::rope;
use crate::json::{Fields, Json};
use crate::{Config, GenerationConfig};

/// What the file says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct MlcConfig {
    pub(crate) config: Config,
    pub(crate) generation: GenerationConfig,
}

impl MlcConfig {
    pub(crate) fn parse(bytes: &[u8]) -> Result<MlcConfig, FormatError> {
        let json = Json::parse(Part::MlcConfig, bytes)?;
        let fields = Fields::of(Part::MlcConfig, &json)?;
        check(&fields, "Architecture", "model_type", "llama")?;
        check(&fields, "Quantization", "quantization", "q4f16_1")?;
        let model = fields.object("model_config")?.ok_or_else(|| fields.missing("model_config"))?;
        let mut generation = from_fields(&fields)?;
        if let Some(conversation) = fields.object("conv_template")? {
            generation.eos_token_ids.extend(token_ids(&conversation, "stop_token_ids")?);
        }
        Ok(MlcConfig { config: dimensions(&model)?, generation })
    }
}

fn check(fields: &Fields, what: &'static str, key: &str, supported: &str) -> Result<(), FormatError> {
    match fields.required_string(key)? {
        found if found == supported => Ok(()),
        other => Err(FormatError::Unsupported {
            what,
            found: quote(other),
            supported: format!("\"{supported}\" of MLC's"),
        }),
    }
}

fn dimensions(model: &Fields) -> Result<Config, FormatError> {
    if let Some(shards @ 2..) = model.whole("tensor_parallel_shards")? {
        return Err(model.invalid("tensor_parallel_shards", "1", shards));
    }
    let hidden_size = model.required_size("hidden_size")?;
    let num_attention_heads = model.required_size("num_attention_heads")?;
    // A head of zero is how MLC writes one that is not given; `validate` refuses zero heads with their name.
    let head_dim = model.size("head_dim")?.filter(|head_dim| *head_dim != 0);
    let derived = hidden_size.checked_div(num_attention_heads).unwrap_or(0);
    let kv_heads = model.size("num_key_value_heads")?.filter(|heads| *heads != 0);
    let (rope_theta, rope_scaling) = rope::read(model, &["position_embedding_base", "rope_theta"])?;
    let context = match model.size("max_position_embeddings")? {
        Some(context) => Some(context),
        None => model.size("context_window_size")?,
    };
    Config {
        hidden_size,
        intermediate_size: model.required_size("intermediate_size")?,
        num_hidden_layers: model.required_size("num_hidden_layers")?,
        num_attention_heads,
        num_key_value_heads: kv_heads.unwrap_or(num_attention_heads),
        head_dim: head_dim.unwrap_or(derived),
        vocab_size: model.required_size("vocab_size")?,
        max_position_embeddings: context.unwrap_or(2048),
        rms_norm_eps: model.required_number("rms_norm_eps")? as f32,
        rope_theta,
        rope_scaling,
        tie_word_embeddings: model.boolean("tie_word_embeddings")?.unwrap_or(false),
    }
    .validate()
}
