//! `config.json`: what a Hub folder's model is, and its dimensions.
//!
//! Everything that says `LlamaForCausalLM` is read: Llama 3, 3.1, 3.2 and their many children.
//! What would change the arithmetic and is not run is refused by name: it would read like text and be wrong.

use super::generation::{eos_token_ids, token_id};
use super::quantization::Quantization;
use super::rope;
use crate::error::{FormatError, Part, quote};
use crate::json::{Fields, Json};
use crate::{Config, GenerationConfig};

/// What `config.json` says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct HubConfig {
    pub(crate) config: Config,
    /// The ids alone: older folders have them only here.
    pub(crate) generation: GenerationConfig,
    pub(crate) quantization: Quantization,
    /// Where its makers had the model when they wrote the file, often the repository that it is derived from.
    pub(crate) name_or_path: Option<String>,
}

impl HubConfig {
    pub(crate) fn parse(bytes: &[u8]) -> Result<HubConfig, FormatError> {
        let json = Json::parse(Part::ConfigJson, bytes)?;
        let fields = Fields::of(Part::ConfigJson, &json)?;
        check_architecture(&fields)?;
        check_variant(&fields)?;
        Ok(HubConfig {
            config: dimensions(&fields)?,
            generation: GenerationConfig {
                eos_token_ids: eos_token_ids(&fields)?,
                bos_token_id: token_id(&fields, "bos_token_id")?,
                ..GenerationConfig::default()
            },
            quantization: Quantization::read(&fields)?,
            name_or_path: fields.string("_name_or_path")?.map(str::to_owned),
        })
    }
}

/// What is absent is as transformers' `LlamaConfig` has it.
fn dimensions(fields: &Fields) -> Result<Config, FormatError> {
    let hidden_size = fields.required_size("hidden_size")?;
    let num_attention_heads = fields.required_size("num_attention_heads")?;
    let head_dim = match fields.size("head_dim")? {
        Some(head_dim) => head_dim,
        None => derived_head_dim(fields, hidden_size, num_attention_heads)?,
    };
    let (rope_theta, rope_scaling) = rope::read(fields, &["rope_theta"])?;
    Config {
        hidden_size,
        intermediate_size: fields.required_size("intermediate_size")?,
        num_hidden_layers: fields.required_size("num_hidden_layers")?,
        num_attention_heads,
        num_key_value_heads: fields.size("num_key_value_heads")?.unwrap_or(num_attention_heads),
        head_dim,
        vocab_size: fields.required_size("vocab_size")?,
        max_position_embeddings: fields.size("max_position_embeddings")?.unwrap_or(2048),
        rms_norm_eps: fields.number("rms_norm_eps")?.unwrap_or(1e-6) as f32,
        rope_theta,
        rope_scaling,
        tie_word_embeddings: fields.boolean("tie_word_embeddings")?.unwrap_or(false),
    }
    .validate()
}

/// A rest would be cut off silently, and the shapes of the tensors would be the first to disagree.
fn derived_head_dim(fields: &Fields, hidden_size: usize, heads: usize) -> Result<usize, FormatError> {
    match hidden_size.checked_rem(heads) {
        Some(0) => Ok(hidden_size / heads),
        Some(_) => Err(fields.invalid(
            "hidden_size",
            format_args!("a multiple of num_attention_heads, {heads}, since head_dim is not given"),
            hidden_size,
        )),
        // Zero heads: `validate` refuses them with their name.
        None => Ok(0),
    }
}

fn check_architecture(fields: &Fields) -> Result<(), FormatError> {
    let unsupported = |found: String| FormatError::Unsupported {
        what: "Architecture",
        found,
        supported: "LlamaForCausalLM".into(),
    };
    let architectures = fields.array("architectures")?.unwrap_or_default();
    let names_llama = |json: &Json| matches!(json, Json::String(name) if name == "LlamaForCausalLM");
    match (architectures.first(), fields.string("model_type")?) {
        (Some(_), _) if architectures.iter().any(names_llama) => Ok(()),
        (Some(first), _) => Err(unsupported(first.to_string())),
        (None, Some("llama")) => Ok(()),
        (None, Some(other)) => Err(unsupported(quote(other))),
        (None, None) => Err(fields.missing("architectures")),
    }
}

/// That none of the switches is set which later models have added to Llama.
fn check_variant(fields: &Fields) -> Result<(), FormatError> {
    let unsupported = |what, found, supported: &str| {
        Err(FormatError::Unsupported { what, found, supported: supported.into() })
    };
    let hidden_act = fields.string("hidden_act")?.unwrap_or("silu");
    if !matches!(hidden_act, "silu" | "swish") {
        return unsupported("hidden_act", quote(hidden_act), "\"silu\"");
    }
    for key in ["attention_bias", "mlp_bias", "rope_interleaved", "use_qk_norm"] {
        if fields.boolean(key)? == Some(true) {
            return unsupported("A Llama with", format!("{key} true"), "those with false");
        }
    }
    let uses_window = fields.boolean("use_sliding_window")?.unwrap_or(true);
    if let Some(window) = fields.whole("sliding_window")?.filter(|_| uses_window) {
        return unsupported(
            "A Llama with",
            format!("sliding_window {window}"),
            "those that attend to everything",
        );
    }
    for key in ["num_local_experts", "num_experts"] {
        if let Some(experts @ 1..) = fields.whole(key)? {
            return unsupported("A Llama with", format!("{key} {experts}"), "those without experts");
        }
    }
    let rotated = fields.number("partial_rotary_factor")?.unwrap_or(1.0);
    if rotated != 1.0 {
        return unsupported(
            "A Llama with",
            format!("partial_rotary_factor {rotated}"),
            "those that rotate whole heads",
        );
    }
    let layer_types = fields.array("layer_types")?.unwrap_or_default();
    let is_full = |json: &&Json| matches!(json, Json::String(kind) if kind == "full_attention");
    match layer_types.iter().find(|kind| !is_full(kind)) {
        Some(other) => unsupported("A layer type", other.to_string(), "\"full_attention\""),
        None => Ok(()),
    }
}
