//! What a file means for Llama: config, tensors and tokenizer, complete and in agreement with each other.
//!
//! Everything that loading and running relies on is checked here, before the first weight is fetched:
//! a download of gigabytes must not end in "not supported".

use std::collections::{HashMap, HashSet};

use crate::error::{FormatError, Part, quote, quote_odd};
use crate::gguf::{Gguf, GgufTensor, Metadata, Value};
use crate::rope_scaling::{self, RopeFreqs};
use crate::{Config, GgmlType, TensorName, Tokenizer};

/// A model file that can be loaded and run.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    /// The model's dimensions.
    pub config: Config,
    /// All tensors, by their place in the file. No two overlap.
    pub tensors: Vec<TensorInfo>,
    /// Vocabulary and special tokens.
    pub tokenizer: Tokenizer,
    /// How a conversation becomes text, in Jinja.
    pub chat_template: Option<String>,
    /// What the file calls the model.
    pub name: Option<String>,
    /// The licence's identifier, as in `apache-2.0` or `llama3.1`.
    pub licence: Option<String>,
    /// The file's length in bytes.
    pub size: u64,
    by_name: HashMap<TensorName, usize>,
    built_with_llama: bool,
}

/// Where a tensor lies in the file, and as what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TensorInfo {
    /// Which tensor.
    pub name: TensorName,
    /// How the weights are stored; for vectors always `F32`.
    pub dtype: GgmlType,
    /// Output features; 1 for vectors.
    pub rows: usize,
    /// Input features, contiguous in the file; a multiple of the type's block length.
    pub columns: usize,
    /// Where the bytes begin, from the start of the file.
    pub offset: u64,
    /// How many bytes.
    pub len: u64,
}

impl Checkpoint {
    /// Reads a GGUF header as a Llama model.
    ///
    /// # Errors
    /// If the file is of another architecture or is one of several, if a field or tensor is missing or superfluous,
    /// disagrees with another, or is of a kind that isn't run. The error names it.
    pub fn from_gguf(gguf: Gguf) -> Result<Checkpoint, FormatError> {
        let Gguf { mut metadata, tensors, file_size, .. } = gguf;
        check_architecture(&metadata)?;
        let tokenizer = Tokenizer::from_metadata(&mut metadata)?;

        let named = tensors.into_iter().map(|tensor| match TensorName::from_gguf(&tensor.name) {
            Some(name) => Ok((name, tensor)),
            None => Err(Part::TensorTable.invalid(quote_odd(&tensor.name), "a tensor of Llama's", "another")),
        });
        let named: Vec<(TensorName, GgufTensor)> = named.collect::<Result<_, _>>()?;
        let present: HashSet<TensorName> = named.iter().map(|(name, _)| *name).collect();

        let tie_word_embeddings = !present.contains(&TensorName::LmHead);
        let config = Config::from_metadata(&metadata, tokenizer.tokens.len(), tie_word_embeddings)?;
        let rope_freqs =
            if present.contains(&TensorName::RopeFreqs) { RopeFreqs::Present } else { RopeFreqs::Absent };
        rope_scaling::check(&metadata, rope_freqs)?;
        if let Some(name) =
            TensorName::required(config.num_hidden_layers).find(|name| !present.contains(name))
        {
            return Err(Part::TensorTable.missing(format!("{} ({name})", name.gguf())));
        }

        let tensors = named.into_iter().map(|(name, tensor)| TensorInfo::new(name, &tensor, &config));
        let mut tensors: Vec<TensorInfo> = tensors.collect::<Result<_, _>>()?;
        tensors.sort_by_key(|tensor| tensor.offset);
        let by_name = tensors.iter().enumerate().map(|(at, tensor)| (tensor.name, at)).collect();
        let owned = |key| Ok::<_, FormatError>(metadata.string(key)?.map(str::to_owned));
        Ok(Checkpoint {
            config,
            tensors,
            tokenizer,
            chat_template: owned("tokenizer.chat_template")?,
            name: owned("general.name")?,
            licence: owned("general.license")?,
            size: file_size,
            by_name,
            built_with_llama: names_llama_3(&metadata),
        })
    }

    /// A tensor by its name; only `LmHead` and `RopeFreqs` may be absent.
    pub fn tensor(&self, name: TensorName) -> Option<&TensorInfo> {
        self.tensors.get(*self.by_name.get(&name)?)
    }

    /// How many weights the model has. `RopeFreqs` are not learned and don't count.
    pub fn parameters(&self) -> u64 {
        let learned = self.tensors.iter().filter(|tensor| tensor.name != TensorName::RopeFreqs);
        learned.map(TensorInfo::weights).sum()
    }

    /// The type that most weights are stored in: what people call the file by.
    pub fn quantization(&self) -> GgmlType {
        let weights_in = |dtype: GgmlType| -> u64 {
            self.tensors.iter().filter(|tensor| tensor.dtype == dtype).map(TensorInfo::weights).sum()
        };
        GgmlType::SUPPORTED.into_iter().max_by_key(|dtype| weights_in(*dtype)).unwrap_or(GgmlType::F32)
    }

    /// Whether Llama 3's licence applies, as far as the file says: its name, its licence or its base model.
    /// The page shows "Built with Llama" then.
    pub fn built_with_llama(&self) -> bool {
        self.built_with_llama
    }
}

impl TensorInfo {
    /// `rows * columns`.
    pub fn weights(&self) -> u64 {
        self.rows as u64 * self.columns as u64
    }

    fn new(name: TensorName, tensor: &GgufTensor, config: &Config) -> Result<TensorInfo, FormatError> {
        let field = || tensor.name.clone(); // One of ours, so it is fit to print.
        if let TensorName::Layer { index, .. } = name
            && index >= config.num_hidden_layers
        {
            return Err(Part::TensorTable.invalid(
                field(),
                format_args!("a layer below {}", config.num_hidden_layers),
                format_args!("layer {index}"),
            ));
        }
        let [rows, columns] = config.shape(name);
        let expected = [columns as u64, rows as u64, 1, 1];
        if tensor.ne != expected {
            let [expected, found] = [expected, tensor.ne].map(|ne| format!("shape {ne:?}"));
            return Err(Part::TensorTable.invalid(field(), expected, found));
        }
        if rows == 1 && tensor.dtype != GgmlType::F32 {
            return Err(Part::TensorTable.invalid(field(), "F32, as all vectors are", tensor.dtype));
        }
        if !tensor.dtype.is_supported() {
            return Err(FormatError::unsupported_type(format!("{} of {}", tensor.dtype, tensor.name)));
        }
        Ok(TensorInfo { name, dtype: tensor.dtype, rows, columns, offset: tensor.offset, len: tensor.len })
    }
}

/// That it is a Llama, whole, and dense.
fn check_architecture(metadata: &Metadata) -> Result<(), FormatError> {
    const ARCHITECTURE: &str = "general.architecture";
    let architecture = metadata.string(ARCHITECTURE)?.ok_or_else(|| Part::Metadata.missing(ARCHITECTURE))?;
    let experts = metadata.integer("llama.expert_count")?.unwrap_or(0);
    let unsupported =
        |found| FormatError::Unsupported { what: "Architecture", found, supported: "llama".into() };
    if architecture != "llama" {
        return Err(unsupported(quote(architecture)));
    }
    if experts > 0 {
        return Err(unsupported(format!("\"llama\" with {experts} experts")));
    }
    match metadata.integer("split.count")? {
        Some(count @ 2..) => Err(FormatError::Split { count }),
        _ => Ok(()),
    }
}

/// Whether one of the strings that tell where a model comes from names Llama 3, 3.1, 3.2 …
fn names_llama_3(metadata: &Metadata) -> bool {
    let tells_origin = |key: &str| {
        matches!(key, "general.name" | "general.basename")
            || key.starts_with("general.license")
            || key.starts_with("general.base_model.")
    };
    metadata.iter().any(|(key, value)| match value {
        Value::String(text) => tells_origin(key) && contains_llama_3(text),
        _ => false,
    })
}

/// Finds `llama`, perhaps a separator, and a `3` that no letter or digit follows: not in `open_llama_3b`.
fn contains_llama_3(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    text.split("llama").skip(1).any(|rest| {
        let number = rest.trim_start_matches([' ', '-', '_']).strip_prefix('3');
        number.is_some_and(|after| !after.starts_with(|c: char| c.is_ascii_alphanumeric()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn llama_3_is_told_from_its_namesakes() {
        let rows = [
            ("llama3.1", true),
            ("llama3", true),
            ("Meta Llama 3.1 8B Instruct", true),
            ("Llama-3.2-1B", true),
            ("Hermes-3-Llama-3.1-8B", true),
            ("https://huggingface.co/meta-llama/Llama-3.1-8B", true),
            ("META_LLAMA_3", true),
            ("open_llama_3b", false),
            ("Llama 2 7B", false),
            ("llama-30b", false),
            ("TinyLlama", false),
            ("Smollm2 135M 8k Lc100K Mix1 Ep2", false),
            ("apache-2.0", false),
            ("3", false),
        ];
        for (text, expected) in rows {
            assert_eq!(contains_llama_3(text), expected, "{text}");
        }
    }
}
