//! Which RoPE scalings are run: none, and Llama 3's.
//!
//! A scaling left out still reads like text and is wrong, so whatever is not known to be right is refused by name.
//! Llama 3's is not in GGUF's metadata: the converter writes the divisors of the frequencies as a tensor, `rope_freqs`.

use crate::FormatError;
use crate::error::quote;
use crate::gguf::Metadata;

/// Whether the file has the tensor with the divisors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RopeFreqs {
    Present,
    Absent,
}

pub(crate) fn check(metadata: &Metadata, rope_freqs: RopeFreqs) -> Result<(), FormatError> {
    let factor = match metadata.float("llama.rope.scaling.factor")? {
        Some(factor) => Some(factor),
        None => metadata.float("llama.rope.scale_linear")?, // The key of 2023.
    };
    // llama.cpp takes a factor without a type for linear, and a factor of zero for none.
    let factor = factor.filter(|factor| *factor != 0.0).unwrap_or(1.0);
    let scaling = metadata.string("llama.rope.scaling.type")?.unwrap_or("linear");
    let found = match (scaling, rope_freqs) {
        ("none", _) | ("llama3", RopeFreqs::Present) => return Ok(()),
        ("linear", _) if factor == 1.0 => return Ok(()),
        ("linear", _) => format!("\"linear\" by {factor}"),
        ("llama3", RopeFreqs::Absent) => "\"llama3\" without its tensor rope_freqs".into(),
        (other, _) => quote(other),
    };
    let supported = "models without scaling and those with Llama 3's (the tensor rope_freqs)".into();
    Err(FormatError::Unsupported { what: "RoPE scaling", found, supported })
}
