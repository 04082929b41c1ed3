//! `params.json`: Meta's names for the dimensions.
//!
//! ```text
//! {"dim": 4096, "n_layers": 32, "n_heads": 32, "n_kv_heads": 8, "vocab_size": 128256, "ffn_dim_multiplier": 1.3,
//!  "multiple_of": 1024, "norm_eps": 1e-05, "rope_theta": 500000.0, "use_scaled_rope": true}
//! ```
//!
//! The width of the MLP follows from three of them: `8 dim / 3` cut to a whole number, by `ffn_dim_multiplier` and cut
//! again, up to the next multiple of `multiple_of`: 10922, 14198, 14336.

use crate::error::{FormatError, Part};
use crate::json::{Fields, Json};
use crate::rope_scaling::RopeScaling;
use crate::{Config, LayerPart, Pth, TensorName};

/// Llama 3.1's largest is 1.3.
const MAX_MULTIPLIER: f64 = 100.0;

/// What the file says. The vocabulary's size may stand in the weights alone.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Params {
    config: Config,
    vocab_size: Option<usize>,
}

impl Params {
    pub(crate) fn parse(bytes: &[u8]) -> Result<Params, FormatError> {
        let json = Json::parse(Part::ParamsJson, bytes)?;
        let fields = Fields::of(Part::ParamsJson, &json)?;
        for key in ["moe", "moe_args", "vision_chunk_size", "vision_args", "quantization_args", "lora_args"] {
            if fields.get(key).is_some_and(|value| *value != Json::Number(-1.0)) {
                let supported = "those without".into();
                return Err(FormatError::Unsupported { what: "A Llama with", found: key.into(), supported });
            }
        }
        // Llama 2 leaves the size to the tokenizer.
        let vocab_size = match fields.get("vocab_size") {
            Some(Json::Number(-1.0)) | None => None,
            Some(_) => fields.size("vocab_size")?,
        };
        let dim = fields.required_size("dim")?;
        let n_heads = fields.required_size("n_heads")?;
        let is_scaled = fields.boolean("use_scaled_rope")?.unwrap_or(false);
        let config = Config {
            hidden_size: dim,
            intermediate_size: intermediate_size(&fields, dim)?,
            num_hidden_layers: fields.required_size("n_layers")?,
            num_attention_heads: n_heads,
            num_key_value_heads: fields.size("n_kv_heads")?.unwrap_or(n_heads),
            head_dim: dim.checked_div(n_heads).unwrap_or(0),
            vocab_size: 1, // Until the weights are known.
            // Not in the file. Llama 3.1 and later were trained for 131,072, Llama 3 for 8,192.
            max_position_embeddings: if is_scaled { 131_072 } else { 8192 },
            rms_norm_eps: fields.required_number("norm_eps")? as f32,
            rope_theta: fields.number("rope_theta")?.unwrap_or(10_000.0),
            rope_scaling: is_scaled.then(|| scaling(dim)),
            tie_word_embeddings: false,
        };
        Ok(Params { config: config.validate()?, vocab_size })
    }

    /// The dimensions of a model with these weights, of which each part has one in `parts`.
    pub(crate) fn config(&self, first: &Pth, parts: usize) -> Result<Config, FormatError> {
        let find = |name: TensorName| first.tensors.iter().find(|tensor| tensor.name == name.meta());
        let vocab_size =
            match (self.vocab_size, find(TensorName::EmbedTokens).map(|tensor| &tensor.shape[..])) {
                (Some(vocab_size), _) => vocab_size,
                // Either the rows or the columns are shared among the parts.
                (None, Some([rows, columns])) => {
                    let shares = if *columns == self.config.hidden_size as u64 { parts as u64 } else { 1 };
                    usize::try_from(rows.saturating_mul(shares)).unwrap_or(usize::MAX)
                }
                (None, _) => return Err(Part::Pickle.missing(TensorName::EmbedTokens.meta())),
            };
        let tie_word_embeddings = find(TensorName::LmHead).is_none();
        Config { vocab_size, tie_word_embeddings, ..self.config }.validate()
    }

    /// How many files share the model, of which one is at hand: as many as its first matrix has too few rows.
    pub(crate) fn parts(&self, first: &Pth) -> Result<usize, FormatError> {
        let name = TensorName::Layer { index: 0, part: LayerPart::GateProj };
        let stored_name = name.meta();
        let tensor = first.tensors.iter().find(|tensor| tensor.name == stored_name);
        let shape =
            tensor.map(|tensor| &tensor.shape[..]).ok_or_else(|| Part::Pickle.missing(&stored_name))?;
        let [rows, columns] = self.config.shape(name).map(|n| n as u64);
        match shape {
            [some, all] if *all == columns && *some > 0 && rows.is_multiple_of(*some) => {
                Ok((rows / some) as usize)
            }
            other => {
                let expected = format!("shape [{rows}, {columns}], or a share of the rows");
                Err(Part::Pickle.invalid(stored_name, expected, format_args!("shape {other:?}")))
            }
        }
    }
}

fn intermediate_size(fields: &Fields, dim: usize) -> Result<usize, FormatError> {
    let multiple_of = match fields.size("multiple_of")?.unwrap_or(256) {
        0 => return Err(fields.invalid("multiple_of", "1 or more", 0)),
        multiple_of => multiple_of as u64,
    };
    let two_thirds = 8 * dim as u64 / 3;
    let size = match fields.number("ffn_dim_multiplier")? {
        // Python's `int`: cut towards zero.
        Some(multiplier) if multiplier > 0.0 && multiplier <= MAX_MULTIPLIER => {
            (multiplier * two_thirds as f64) as u64
        }
        Some(other) => {
            let expected = format_args!("above 0, at most {MAX_MULTIPLIER}");
            return Err(fields.invalid("ffn_dim_multiplier", expected, format_args!("{other:?}")));
        }
        None => two_thirds,
    };
    Ok(usize::try_from(size.div_ceil(multiple_of).saturating_mul(multiple_of)).unwrap_or(usize::MAX))
}

/// Meta's code has Llama 3.1's numbers as constants. Llama 3.2's text models, of widths 2048 and 3072, were trained with
/// a factor of 32, which only their `config.json` says.
fn scaling(dim: usize) -> RopeScaling {
    let factor = if matches!(dim, 2048 | 3072) { 32.0 } else { RopeScaling::LLAMA_3_1.factor };
    RopeScaling { factor, ..RopeScaling::LLAMA_3_1 }
}
