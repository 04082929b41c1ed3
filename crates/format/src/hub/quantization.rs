//! `quantization_config` in `config.json`: by which program and how the linear layers are packed.
//!
//! ```text
//! {"quant_method": "awq", "bits": 4, "group_size": 128, "version": "gemm", "zero_point": true}
//! {"quant_method": "gptq", "bits": 4, "group_size": 128, "sym": true, "desc_act": false, "checkpoint_format": "gptq"}
//! {"quant_method": "compressed-tensors", "format": "pack-quantized", "config_groups": {"group_0": {"weights":
//!     {"num_bits": 4, "type": "int", "symmetric": true, "strategy": "group", "group_size": 128}}}}
//! {"quant_method": "bitsandbytes", "load_in_4bit": true, "bnb_4bit_quant_type": "nf4"}
//! ```

use crate::error::{FormatError, quote};
use crate::json::{Fields, Json};

/// How linear layers are packed; those that are not have a plain `weight`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quantization {
    None,
    Awq { group: Group },
    Gptq { group: Group, symmetric: bool, zero_offset: u8 },
    PackQuantized { group: Group, symmetric: bool },
    Nf4,
}

/// How many inputs share a scale: a multiple of 32, so that blocks of 32 do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Group {
    Of(usize),
    /// All of a row.
    Row,
}

impl Group {
    /// Inputs of a group in a row of so many.
    pub(crate) fn size(self, columns: usize) -> usize {
        match self {
            Group::Of(size) => size,
            Group::Row => columns,
        }
    }
}

impl Quantization {
    /// Reads it off `config.json`.
    pub(crate) fn read(config: &Fields) -> Result<Quantization, FormatError> {
        let Some(fields) = config.object("quantization_config")? else { return Ok(Quantization::None) };
        match fields.string("quant_method")? {
            Some("awq") => awq(&fields),
            Some("gptq") => gptq(&fields),
            Some("compressed-tensors") => pack_quantized(&fields),
            Some("bitsandbytes") => nf4(&fields),
            Some(other) => Err(unsupported(quote(other))),
            None => Err(fields.missing("quant_method")),
        }
    }
}

fn unsupported(found: String) -> FormatError {
    let supported = "4-bit AWQ (gemm), GPTQ, compressed-tensors (pack-quantized) and bitsandbytes NF4, \
                     and every type of GGUF files in common use";
    FormatError::Unsupported { what: "Quantization", found, supported: supported.into() }
}

fn awq(fields: &Fields) -> Result<Quantization, FormatError> {
    check_bits(fields, "bits", "awq")?;
    let version = fields.string("version")?.unwrap_or("gemm");
    if !version.eq_ignore_ascii_case("gemm") {
        return Err(unsupported(format!("\"awq\" of version {}", quote(version))));
    }
    if fields.boolean("zero_point")? == Some(false) {
        return Err(unsupported("\"awq\" with zero_point false".into()));
    }
    Ok(Quantization::Awq { group: group(fields)? })
}

fn gptq(fields: &Fields) -> Result<Quantization, FormatError> {
    check_bits(fields, "bits", "gptq")?;
    let zero_offset = match fields.string("checkpoint_format")?.unwrap_or("gptq") {
        "gptq" => 1,
        "gptq_v2" => 0,
        other => return Err(unsupported(format!("\"gptq\" with checkpoint_format {}", quote(other)))),
    };
    if fields.boolean("is_marlin_format")? == Some(true) {
        return Err(unsupported("\"gptq\" in Marlin's format".into()));
    }
    let symmetric = fields.boolean("sym")?.unwrap_or(false);
    Ok(Quantization::Gptq { group: group(fields)?, symmetric, zero_offset })
}

fn pack_quantized(fields: &Fields) -> Result<Quantization, FormatError> {
    const METHOD: &str = "\"compressed-tensors\"";
    match fields.required_string("format")? {
        "pack-quantized" => {}
        other => return Err(unsupported(format!("{METHOD} in the format {}", quote(other)))),
    }
    for key in ["kv_cache_scheme", "transform_config"] {
        let is_empty = |json: &Json| matches!(json, Json::Object(entries) if entries.is_empty());
        if fields.get(key).is_some_and(|json| !is_empty(json)) {
            return Err(unsupported(format!("{METHOD} with {key}")));
        }
    }
    let groups = fields.object("config_groups")?.ok_or_else(|| fields.missing("config_groups"))?;
    let [(name, scheme)] = groups.entries() else {
        return Err(fields.invalid("config_groups", "one group", groups.entries().len()));
    };
    let scheme = groups.within(groups.name(&crate::error::quote_odd(name)), scheme)?;
    for key in ["input_activations", "output_activations"] {
        if scheme.get(key).is_some() {
            return Err(unsupported(format!("{METHOD} with {key}")));
        }
    }
    let weights = scheme.object("weights")?.ok_or_else(|| scheme.missing("weights"))?;
    check_bits(&weights, "num_bits", "compressed-tensors")?;
    match weights.string("type")?.unwrap_or("int") {
        "int" => {}
        other => return Err(unsupported(format!("{METHOD} with weights of type {}", quote(other)))),
    }
    let group = match weights.string("strategy")? {
        Some("group") | None => group(&weights)?,
        Some("channel") => Group::Row,
        Some(other) => return Err(unsupported(format!("{METHOD} with the strategy {}", quote(other)))),
    };
    Ok(Quantization::PackQuantized { group, symmetric: weights.boolean("symmetric")?.unwrap_or(true) })
}

fn nf4(fields: &Fields) -> Result<Quantization, FormatError> {
    const METHOD: &str = "\"bitsandbytes\"";
    if fields.boolean("load_in_4bit")? != Some(true) {
        return Err(unsupported(format!("{METHOD} with other than 4 bits")));
    }
    match fields.string("bnb_4bit_quant_storage")?.unwrap_or("uint8") {
        "uint8" => {}
        other => return Err(unsupported(format!("{METHOD} with storage of type {}", quote(other)))),
    }
    match fields.string("bnb_4bit_quant_type")?.unwrap_or("fp4") {
        "nf4" => Ok(Quantization::Nf4),
        other => Err(unsupported(format!("{METHOD} of type {}", quote(other)))),
    }
}

fn check_bits(fields: &Fields, key: &str, method: &str) -> Result<(), FormatError> {
    match fields.whole(key)? {
        Some(4) => Ok(()),
        Some(bits) => Err(unsupported(format!("\"{method}\" with {bits} bits"))),
        None => Err(fields.missing(key)),
    }
}

/// `group_size`, where -1 stands for the whole row.
fn group(fields: &Fields) -> Result<Group, FormatError> {
    const KEY: &str = "group_size";
    match fields.get(KEY) {
        Some(Json::Number(-1.0)) => Ok(Group::Row),
        Some(Json::Whole(size)) if (32..1 << 20).contains(size) && size.is_multiple_of(32) => {
            Ok(Group::Of(*size as usize))
        }
        Some(other) => Err(fields.invalid(KEY, "a multiple of 32, or -1", other)),
        None => Err(fields.missing(KEY)),
    }
}
