//! Which RoPE scalings are run: none, and Llama 3's.
//!
//! A scaling left out still reads like text and is wrong, so whatever is not known to be right is refused by name.
//! Llama 3's is not in GGUF's metadata: the converter writes the divisors of the frequencies as a tensor, `rope_freqs`.

use std::f64::consts::TAU;

use crate::config::require;
use crate::error::quote;
use crate::gguf::Metadata;
use crate::{Config, FormatError};

/// Llama 3's scaling, which stretches slow turns over a longer context and leaves fast ones alone.
///
/// As in Meta's `apply_scaling`, with `wavelength = 2 pi / frequency`:
///
/// ```text
/// wavelength below original / high_freq_factor:  as it is
/// wavelength above original / low_freq_factor:   divided by factor
/// between:  s = (original / wavelength - low) / (high - low),  frequency ((1 - s) / factor + s)
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RopeScaling {
    /// What the slowest frequencies are divided by.
    pub factor: f64,
    /// Wavelengths above `original_max_position_embeddings` by this are slow.
    pub low_freq_factor: f64,
    /// Wavelengths below `original_max_position_embeddings` by this are fast.
    pub high_freq_factor: f64,
    /// The context of the training before the scaling.
    pub original_max_position_embeddings: f64,
}

impl RopeScaling {
    /// Llama 3.1's.
    pub const LLAMA_3_1: RopeScaling = RopeScaling {
        factor: 8.0,
        low_freq_factor: 1.0,
        high_freq_factor: 4.0,
        original_max_position_embeddings: 8192.0,
    };

    /// Llama 3.2's.
    pub const LLAMA_3_2: RopeScaling = RopeScaling { factor: 32.0, ..RopeScaling::LLAMA_3_1 };

    /// Fails unless the numbers describe a scaling.
    pub(crate) fn validate(self) -> Result<(), FormatError> {
        let RopeScaling { factor, low_freq_factor: low, high_freq_factor: high, .. } = self;
        let original = self.original_max_position_embeddings;
        require("rope_scaling.factor", (1.0..=1e6).contains(&factor), "1 to 10^6", factor)?;
        require(
            "rope_scaling.low_freq_factor",
            low > 0.0 && low < high,
            "above 0, below high_freq_factor",
            low,
        )?;
        require("rope_scaling.high_freq_factor", high <= 1e6, "at most 10^6", high)?;
        let field = "rope_scaling.original_max_position_embeddings";
        require(field, (1.0..=1e9).contains(&original), "1 to 10^9", original)
    }

    /// What each frequency is divided by, `[head_dim / 2]`: the same as GGUF's tensor `rope_freqs`.
    pub(crate) fn divisors(self, head_dim: usize, rope_theta: f64) -> Vec<f32> {
        let original = self.original_max_position_embeddings;
        let frequency = |i: usize| rope_theta.powf(-2.0 * i as f64 / head_dim as f64);
        let divisor = |frequency: f64| {
            let turns = original * frequency / TAU; // Over the original context.
            if turns > self.high_freq_factor {
                1.0
            } else if turns < self.low_freq_factor {
                self.factor
            } else {
                let s = (turns - self.low_freq_factor) / (self.high_freq_factor - self.low_freq_factor);
                1.0 / ((1.0 - s) / self.factor + s)
            }
        };
        (0..head_dim / 2).map(|i| divisor(frequency(i)) as f32).collect()
    }
}

/// Whether the file has the tensor with the divisors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RopeFreqs {
    Present,
    Absent,
}

/// Says so if the model wants Llama 3's scaling by all that can be seen and the file lacks it, as files made before
/// August 2024 do. Answers are right up to some 8,192 tokens then, and wrong beyond.
pub(crate) fn warning(
    metadata: &Metadata,
    config: &Config,
    rope_freqs: RopeFreqs,
) -> Result<Option<String>, FormatError> {
    let name = metadata.string("general.name")?.unwrap_or_default().to_ascii_lowercase();
    let named = name.contains("llama") && ["3.1", "3.2", "3.3"].iter().any(|version| name.contains(version));
    let shaped = config.max_position_embeddings == 131_072 && config.rope_theta == 500_000.0;
    let lacks = rope_freqs == RopeFreqs::Absent && (named || shaped);
    Ok(lacks.then(|| {
        "This Llama 3.1 file lacks the tensor rope_freqs.weight: it was made before August 2024, and long \
         conversations will come out wrong. Take a newer file of the same model."
            .to_owned()
    }))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn divisors_of_llama_3_1() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/rope/llama3_1_rope.json");
        let golden: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let expected: Vec<f64> = golden["gguf_rope_freqs_weight"]
            .as_array()
            .unwrap()
            .iter()
            .map(|v| v.as_f64().unwrap())
            .collect();
        let got = Config::LLAMA_3_1_8B.rope_freqs().unwrap();
        assert_eq!((got.len(), expected.len()), (64, 64));
        for (i, (got, expected)) in got.iter().zip(&expected).enumerate() {
            // The golden's frequencies are rounded to f32 first.
            let bound = 4.0 * f64::from(f32::EPSILON) * expected;
            assert!((f64::from(*got) - expected).abs() <= bound, "{i}: got {got}, expected {expected}");
        }
    }

    #[test]
    fn numbers_that_scale_nothing_sensibly_are_refused() {
        type Change = fn(&mut RopeScaling);
        let rows: [(&str, Change); 6] = [
            ("factor: expected 1 to 10^6, found 0.5", |s| s.factor = 0.5),
            ("factor: expected 1 to 10^6, found NaN", |s| s.factor = f64::NAN),
            ("low_freq_factor: expected above 0, below high_freq_factor, found 0", |s| {
                s.low_freq_factor = 0.0
            }),
            ("low_freq_factor: expected above 0, below high_freq_factor, found 4", |s| {
                s.low_freq_factor = 4.0
            }),
            ("high_freq_factor: expected at most 10^6, found inf", |s| s.high_freq_factor = f64::INFINITY),
            ("original_max_position_embeddings: expected 1 to 10^9, found -1", |s| {
                s.original_max_position_embeddings = -1.0;
            }),
        ];
        assert_eq!(RopeScaling::LLAMA_3_1.validate(), Ok(()));
        for (expected, change) in rows {
            let mut scaling = RopeScaling::LLAMA_3_1;
            change(&mut scaling);
            let error = scaling.validate().unwrap_err().to_string();
            assert_eq!(error, format!("model config: rope_scaling.{expected}."));
        }
    }
}
