//! RoPE's base and scaling in `config.json`.
//!
//! ```text
//! "rope_theta": 500000.0, "rope_scaling": {"rope_type": "llama3", "factor": 8.0, ...}         transformers 4
//! "rope_scaling": {"type": "linear", "factor": 1.0}                                           before 4.43
//! "rope_parameters": {"rope_theta": 500000.0, "rope_type": "llama3", "factor": 8.0, ...}      transformers 5
//! ```

use crate::error::{FormatError, quote};
use crate::json::Fields;
use crate::rope_scaling::RopeScaling;

/// transformers' own for files that don't say.
const DEFAULT_ROPE_THETA: f64 = 10_000.0;

/// RoPE's base, which stands under one of these keys if not with the scaling, and how the frequencies are scaled.
pub(crate) fn read(fields: &Fields, theta_keys: &[&str]) -> Result<(f64, Option<RopeScaling>), FormatError> {
    let of = |key| {
        fields.object(key)?.map(|block| Ok((scaling(&block)?, block.number("rope_theta")?))).transpose()
    };
    let (old, new) = (of("rope_scaling")?, of("rope_parameters")?);
    if let (Some((old, _)), Some((new, _))) = (&old, &new)
        && old != new
    {
        return Err(fields.invalid("rope_parameters", "the same as in rope_scaling", "another scaling"));
    }
    let (scaling, theta) = new.or(old).unwrap_or((None, None));
    let mut theta = theta;
    for key in theta_keys {
        theta = theta.map_or_else(|| fields.number(key), |theta| Ok(Some(theta)))?;
    }
    Ok((theta.unwrap_or(DEFAULT_ROPE_THETA), scaling))
}

fn scaling(block: &Fields) -> Result<Option<RopeScaling>, FormatError> {
    let rope_type = match block.string("rope_type")? {
        Some(rope_type) => Some(rope_type),
        None => block.string("type")?,
    };
    let factor = block.number("factor")?.unwrap_or(1.0);
    let found = match rope_type {
        Some("llama3") => return llama3(block).map(Some),
        Some("default" | "none") => return Ok(None),
        Some("linear") | None if factor == 1.0 => return Ok(None),
        Some("linear") => format!("\"linear\" by {factor}"),
        Some(other) => quote(other),
        None => format!("by {factor} of no named type"),
    };
    let supported = "models without scaling and those with Llama 3's (\"llama3\")".into();
    Err(FormatError::Unsupported { what: "RoPE scaling", found, supported })
}

/// `Config::validate` checks the numbers.
fn llama3(block: &Fields) -> Result<RopeScaling, FormatError> {
    Ok(RopeScaling {
        factor: block.required_number("factor")?,
        low_freq_factor: block.required_number("low_freq_factor")?,
        high_freq_factor: block.required_number("high_freq_factor")?,
        original_max_position_embeddings: block.required_number("original_max_position_embeddings")?,
    })
}
