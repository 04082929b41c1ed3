//! `generation_config.json`, and the ids of special tokens as `config.json` has them too.

use crate::GenerationConfig;
use crate::error::{FormatError, Part};
use crate::json::{Fields, Json};

/// More ids than any model ends with: each is compared with every token.
const MAX_IDS: usize = 1024;

/// Reads the file. Ids may lie outside of the vocabulary: only `config.json` says how large it is.
pub(crate) fn read_generation_config(bytes: &[u8]) -> Result<GenerationConfig, FormatError> {
    let json = Json::parse(Part::GenerationConfigJson, bytes)?;
    from_fields(&Fields::of(Part::GenerationConfigJson, &json)?)
}

/// The fields of `generation_config.json`, wherever they stand.
pub(crate) fn from_fields(fields: &Fields) -> Result<GenerationConfig, FormatError> {
    let top_k = fields.size("top_k")?;
    Ok(GenerationConfig {
        eos_token_ids: eos_token_ids(fields)?,
        bos_token_id: token_id(fields, "bos_token_id")?,
        do_sample: fields.boolean("do_sample")?,
        temperature: number_in(fields, "temperature", "0 or more", |value| value >= 0.0)?,
        top_k: top_k.map(|top_k| top_k as u32), // `size` has found that it fits.
        top_p: number_in(fields, "top_p", "above 0, at most 1", |value| value > 0.0 && value <= 1.0)?,
        repetition_penalty: number_in(fields, "repetition_penalty", "above 0", |value| value > 0.0)?,
    })
}

/// A number or a list of them; sorted, none twice.
pub(crate) fn eos_token_ids(fields: &Fields) -> Result<Vec<u32>, FormatError> {
    token_ids(fields, "eos_token_id")
}

/// As [`eos_token_ids`], of another key.
pub(crate) fn token_ids(fields: &Fields, key: &str) -> Result<Vec<u32>, FormatError> {
    let ids = match fields.get(key) {
        Some(Json::Array(ids)) => ids.as_slice(),
        Some(one) => std::slice::from_ref(one),
        None => &[],
    };
    if ids.len() > MAX_IDS {
        return Err(fields.invalid(key, format_args!("at most {MAX_IDS} ids"), ids.len()));
    }
    let mut eos_token_ids = Vec::new();
    for id in ids {
        match id {
            Json::Whole(id) if *id < 1 << 32 => eos_token_ids.push(*id as u32),
            other => return Err(fields.invalid(key, "an id or a list of them", other)),
        }
    }
    eos_token_ids.sort_unstable();
    eos_token_ids.dedup();
    Ok(eos_token_ids)
}

pub(crate) fn token_id(fields: &Fields, key: &str) -> Result<Option<u32>, FormatError> {
    Ok(fields.size(key)?.map(|id| id as u32)) // `size` has found that it fits.
}

fn number_in(
    fields: &Fields,
    key: &str,
    expected: &str,
    holds: fn(f32) -> bool,
) -> Result<Option<f32>, FormatError> {
    match fields.number(key)?.map(|value| value as f32) {
        Some(value) if !(value.is_finite() && holds(value)) => Err(fields.invalid(key, expected, value)),
        value => Ok(value),
    }
}
