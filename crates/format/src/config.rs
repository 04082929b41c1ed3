//! The dimensions of a Llama model, under the names of Hugging Face's `config.json`.
//!
//! Buffers are sized and loops bounded by these numbers, so all of them are checked here, once.

use crate::error::{FormatError, Part};
use crate::gguf::Metadata;
use crate::rope_scaling::RopeScaling;
use crate::tensor_name::{LayerPart, TensorName};

/// The dimensions of a model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Config {
    /// Width of the residual stream; a multiple of 32.
    pub hidden_size: usize,
    /// Width of the MLP; a multiple of 32.
    pub intermediate_size: usize,
    /// How many layers.
    pub num_hidden_layers: usize,
    /// Query heads; `num_attention_heads * head_dim` is a multiple of 32.
    pub num_attention_heads: usize,
    /// Key and value heads; each serves `num_attention_heads / num_key_value_heads` query heads.
    pub num_key_value_heads: usize,
    /// Width of a head; even, since RoPE rotates pairs.
    pub head_dim: usize,
    /// How many tokens the vocabulary has.
    pub vocab_size: usize,
    /// How long a context the model was trained for, in tokens.
    pub max_position_embeddings: usize,
    /// What RMSNorm adds to the mean square.
    pub rms_norm_eps: f32,
    /// RoPE's base.
    pub rope_theta: f64,
    /// How RoPE's frequencies are scaled, where that does not stand in a tensor of its own.
    pub rope_scaling: Option<RopeScaling>,
    /// Whether `EmbedTokens` serves as `LmHead` too.
    pub tie_word_embeddings: bool,
}

/// The kernels read rows in blocks of 32 weights.
const COLUMNS_MULTIPLE: usize = 32;

impl Config {
    /// Llama 3.1 8B, as its `config.json` says.
    pub const LLAMA_3_1_8B: Config = Config {
        hidden_size: 4096,
        intermediate_size: 14336,
        num_hidden_layers: 32,
        num_attention_heads: 32,
        num_key_value_heads: 8,
        head_dim: 128,
        vocab_size: 128_256,
        max_position_embeddings: 131_072,
        rms_norm_eps: 1e-5,
        rope_theta: 500_000.0,
        rope_scaling: Some(RopeScaling::LLAMA_3_1),
        tie_word_embeddings: false,
    };

    /// Llama 3.2 1B, as its `config.json` says.
    pub const LLAMA_3_2_1B: Config = Config {
        hidden_size: 2048,
        intermediate_size: 8192,
        num_hidden_layers: 16,
        head_dim: 64,
        rope_scaling: Some(RopeScaling::LLAMA_3_2),
        tie_word_embeddings: true,
        ..Config::LLAMA_3_1_8B
    };

    /// Llama 3.2 3B, as its `config.json` says.
    pub const LLAMA_3_2_3B: Config = Config {
        hidden_size: 3072,
        intermediate_size: 8192,
        num_hidden_layers: 28,
        num_attention_heads: 24,
        rope_scaling: Some(RopeScaling::LLAMA_3_2),
        tie_word_embeddings: true,
        ..Config::LLAMA_3_1_8B
    };

    /// Checks each field and how they go together; what comes back may be relied on.
    ///
    /// # Errors
    /// Names the first field that is zero, absurdly large, or doesn't divide as it must.
    pub fn validate(self) -> Result<Config, FormatError> {
        // Each bound is well above the largest Llama there is, and keeps every product below in 32 bits.
        let ranges = [
            ("hidden_size", self.hidden_size, 1 << 16),
            ("intermediate_size", self.intermediate_size, 1 << 18),
            ("num_hidden_layers", self.num_hidden_layers, 1 << 10),
            ("num_attention_heads", self.num_attention_heads, 1 << 10),
            ("num_key_value_heads", self.num_key_value_heads, 1 << 10),
            ("head_dim", self.head_dim, 1 << 10),
            ("vocab_size", self.vocab_size, 1 << 20),
            ("max_position_embeddings", self.max_position_embeddings, 1 << 24),
        ];
        for (field, value, max) in ranges {
            require(field, (1..=max).contains(&value), format_args!("1 to {max}"), value)?;
        }
        let of_layer = |part| TensorName::Layer { index: 0, part };
        let heads = self.num_attention_heads * self.head_dim;
        let columns = [
            ("hidden_size", self.hidden_size, TensorName::EmbedTokens),
            ("intermediate_size", self.intermediate_size, of_layer(LayerPart::DownProj)),
            ("num_attention_heads * head_dim", heads, of_layer(LayerPart::OProj)),
        ];
        for (field, value, tensor) in columns {
            let field = format!("{field}, the columns of {tensor}");
            require(&field, value.is_multiple_of(COLUMNS_MULTIPLE), "a multiple of 32", value)?;
        }
        let (heads, kv_heads) = (self.num_attention_heads, self.num_key_value_heads);
        let divides = format_args!("a divisor of num_attention_heads, {heads}");
        require("num_key_value_heads", heads.is_multiple_of(kv_heads), divides, kv_heads)?;
        require("head_dim", self.head_dim.is_multiple_of(2), "an even number", self.head_dim)?;
        let eps = self.rms_norm_eps;
        require("rms_norm_eps", eps > 0.0 && eps < 1.0, "above 0 and below 1", eps)?;
        let theta = self.rope_theta;
        require("rope_theta", (1.0..=1e12).contains(&theta), "1 to 10^12", theta)?;
        self.rope_scaling.map_or(Ok(()), RopeScaling::validate)?;
        Ok(self)
    }

    /// What RoPE's frequencies are divided by, `[head_dim / 2]`; none if they are not scaled, or by a tensor.
    pub fn rope_freqs(&self) -> Option<Vec<f32>> {
        self.rope_scaling.map(|scaling| scaling.divisors(self.head_dim, self.rope_theta))
    }

    /// `[rows, columns]` of a tensor in a model of these dimensions; vectors have one row.
    pub fn shape(&self, name: TensorName) -> [usize; 2] {
        let Config { hidden_size, intermediate_size, head_dim, vocab_size, .. } = *self;
        let q_size = self.num_attention_heads * head_dim;
        let kv_size = self.num_key_value_heads * head_dim;
        match name {
            TensorName::EmbedTokens | TensorName::LmHead => [vocab_size, hidden_size],
            TensorName::Norm => [1, hidden_size],
            TensorName::RopeFreqs => [1, head_dim / 2],
            TensorName::Layer { part, .. } => match part {
                LayerPart::InputLayernorm | LayerPart::PostAttentionLayernorm => [1, hidden_size],
                LayerPart::QProj => [q_size, hidden_size],
                LayerPart::KProj | LayerPart::VProj => [kv_size, hidden_size],
                LayerPart::OProj => [hidden_size, q_size],
                LayerPart::GateProj | LayerPart::UpProj => [intermediate_size, hidden_size],
                LayerPart::DownProj => [hidden_size, intermediate_size],
            },
        }
    }

    /// From GGUF's `llama.*` keys, and from what the rest of the file says about vocabulary and output.
    pub(crate) fn from_metadata(
        metadata: &Metadata,
        vocab_size: usize,
        tie_word_embeddings: bool,
    ) -> Result<Config, FormatError> {
        let num_attention_heads = required(metadata, "llama.attention.head_count")?;
        let hidden_size = required(metadata, "llama.embedding_length")?;
        let head_dim = match optional(metadata, "llama.attention.key_length")? {
            Some(head_dim) => head_dim,
            // Division by zero heads: `validate` refuses them with their name.
            None => hidden_size.checked_div(num_attention_heads).unwrap_or(0),
        };
        for key in ["llama.attention.value_length", "llama.rope.dimension_count"] {
            let found = optional(metadata, key)?.unwrap_or(head_dim);
            require(key, found == head_dim, format_args!("head_dim, {head_dim}"), found)?;
        }
        let stated_vocab_size = optional(metadata, "llama.vocab_size")?.unwrap_or(vocab_size);
        let tokens = format_args!("as many as there are tokens, {vocab_size}");
        require("vocab_size", stated_vocab_size == vocab_size, tokens, stated_vocab_size)?;
        let rms_norm_eps = "llama.attention.layer_norm_rms_epsilon";
        Config {
            hidden_size,
            intermediate_size: required(metadata, "llama.feed_forward_length")?,
            num_hidden_layers: required(metadata, "llama.block_count")?,
            num_attention_heads,
            num_key_value_heads: optional(metadata, "llama.attention.head_count_kv")?
                .unwrap_or(num_attention_heads),
            head_dim,
            vocab_size,
            max_position_embeddings: required(metadata, "llama.context_length")?,
            rms_norm_eps: metadata.float(rms_norm_eps)?.ok_or_else(|| Part::Metadata.missing(rms_norm_eps))?
                as f32,
            rope_theta: metadata.float("llama.rope.freq_base")?.unwrap_or(10_000.0),
            // A GGUF file has the divisors as a tensor.
            rope_scaling: None,
            tie_word_embeddings,
        }
        .validate()
    }
}

pub(crate) fn require(
    field: &str,
    holds: bool,
    expected: impl std::fmt::Display,
    found: impl std::fmt::Display,
) -> Result<(), FormatError> {
    if holds { Ok(()) } else { Err(Part::Config.invalid(field, expected, found)) }
}

fn required(metadata: &Metadata, key: &str) -> Result<usize, FormatError> {
    optional(metadata, key)?.ok_or_else(|| Part::Metadata.missing(key))
}

/// Numbers past 32 bits are refused here, before wasm32's `usize` could cut them.
fn optional(metadata: &Metadata, key: &str) -> Result<Option<usize>, FormatError> {
    let Some(found) = metadata.integer(key)? else { return Ok(None) };
    let value = u32::try_from(found).map_err(|_| Part::Metadata.invalid(key, "less than 2^32", found))?;
    Ok(Some(value as usize))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LLAMA_3_1_8B: Config = Config::LLAMA_3_1_8B;

    #[test]
    fn names_the_field_that_is_wrong() {
        type Change = fn(&mut Config);
        let rows: [(&str, Change); 17] = [
            ("hidden_size: expected 1 to 65536, found 0", |c| c.hidden_size = 0),
            (
                "hidden_size, the columns of model.embed_tokens.weight: expected a multiple of 32, found 4112",
                |c| c.hidden_size = 4112,
            ),
            ("intermediate_size: expected 1 to 262144, found 262176", |c| c.intermediate_size = 262_176),
            (
                "intermediate_size, the columns of model.layers.0.mlp.down_proj.weight: expected a multiple of 32, found 1",
                |c| c.intermediate_size = 1,
            ),
            ("num_hidden_layers: expected 1 to 1024, found 0", |c| c.num_hidden_layers = 0),
            ("num_attention_heads: expected 1 to 1024, found 1025", |c| c.num_attention_heads = 1025),
            ("num_key_value_heads: expected 1 to 1024, found 0", |c| c.num_key_value_heads = 0),
            ("num_key_value_heads: expected a divisor of num_attention_heads, 32, found 12", |c| {
                c.num_key_value_heads = 12
            }),
            (
                "num_attention_heads * head_dim, the columns of model.layers.0.self_attn.o_proj.weight: \
                 expected a multiple of 32, found 258",
                |c| (c.num_attention_heads, c.num_key_value_heads, c.head_dim) = (3, 3, 86),
            ),
            ("head_dim: expected an even number, found 127", |c| c.head_dim = 127),
            ("head_dim: expected 1 to 1024, found 2048", |c| c.head_dim = 2048),
            ("vocab_size: expected 1 to 1048576, found 1048577", |c| c.vocab_size = (1 << 20) + 1),
            ("max_position_embeddings: expected 1 to 16777216, found 0", |c| c.max_position_embeddings = 0),
            ("rms_norm_eps: expected above 0 and below 1, found NaN", |c| c.rms_norm_eps = f32::NAN),
            ("rms_norm_eps: expected above 0 and below 1, found 0", |c| c.rms_norm_eps = 0.0),
            ("rope_theta: expected 1 to 10^12, found inf", |c| c.rope_theta = f64::INFINITY),
            ("rope_theta: expected 1 to 10^12, found -1", |c| c.rope_theta = -1.0),
        ];
        assert_eq!(LLAMA_3_1_8B.validate(), Ok(LLAMA_3_1_8B));
        for (expected, change) in rows {
            let mut config = LLAMA_3_1_8B;
            change(&mut config);
            assert_eq!(config.validate().unwrap_err().to_string(), format!("model config: {expected}."));
        }
    }

    /// The 292 shapes of the real model, rows and columns the right way round.
    #[test]
    fn shapes_of_llama_3_1_8b() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/gguf/llama31_8b_tensors.json");
        let golden: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let tensors = golden["tensors"].as_array().unwrap();
        assert_eq!(tensors.len(), 292);
        for tensor in tensors {
            let name = TensorName::from_gguf(tensor["name"].as_str().unwrap()).unwrap();
            let ne = |i: usize| tensor["ne"].get(i).map_or(1, |n| n.as_u64().unwrap() as usize);
            assert_eq!(LLAMA_3_1_8B.shape(name), [ne(1), ne(0)], "{name}");
        }
    }
}
