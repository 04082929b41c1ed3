//! A checkpoint from a GGUF file, or from several that are one model.

use std::collections::HashSet;

use super::origin::names_llama_3;
use super::{Checkpoint, RowOrder, Span, Stored, TensorInfo, in_order};
use crate::error::{FormatError, Part, quote, quote_odd};
use crate::gguf::{Gguf, GgufTensor, Metadata, Value};
use crate::rope_scaling::{self, RopeFreqs};
use crate::{Config, GenerationConfig, GgmlType, TensorName, Tokenizer, TokenizerFile};

impl Checkpoint {
    /// Reads a GGUF header as a Llama model.
    ///
    /// # Errors
    /// If the file is of another architecture, if a field or tensor is missing or superfluous, disagrees with another,
    /// or is of a kind that isn't run; the error names it. [`FormatError::Split`] if the file is one of several.
    pub fn from_gguf(gguf: Gguf) -> Result<Checkpoint, FormatError> {
        match gguf.split_count()? {
            1 => Checkpoint::from_gguf_parts(vec![gguf]),
            count => Err(FormatError::Split { count }),
        }
    }

    /// Reads the headers of all files that a model was split into, in their order. The first has the metadata.
    ///
    /// # Errors
    /// As [`Checkpoint::from_gguf`], and if the files are not all there are, or not of one model.
    pub fn from_gguf_parts(parts: Vec<Gguf>) -> Result<Checkpoint, FormatError> {
        check_split(&parts)?;
        let file_sizes = parts.iter().map(|part| part.file_size).collect();
        let mut metadata = Metadata::default();
        let mut tensors = Vec::new();
        for (file, part) in parts.into_iter().enumerate() {
            if file == 0 {
                metadata = part.metadata;
            }
            tensors.extend(part.tensors.into_iter().map(|tensor| (file, tensor)));
        }
        check_architecture(&metadata)?;
        let tokenizer = Tokenizer::from_metadata(&mut metadata)?;

        let named = tensors.into_iter().map(|(file, tensor)| match TensorName::from_gguf(&tensor.name) {
            Some(name) => Ok((name, file, tensor)),
            None => Err(Part::TensorTable.invalid(quote_odd(&tensor.name), "a tensor of Llama's", "another")),
        });
        let named: Vec<_> = named.collect::<Result<_, _>>()?;
        let mut present = HashSet::new();
        if let Some((name, ..)) = named.iter().find(|(name, ..)| !present.insert(*name)) {
            return Err(Part::TensorTable.invalid(name.gguf(), "in one of the files only", "in two"));
        }

        let tie_word_embeddings = !present.contains(&TensorName::LmHead);
        let config = Config::from_metadata(&metadata, tokenizer.tokens.len(), tie_word_embeddings)?;
        let rope_freqs =
            if present.contains(&TensorName::RopeFreqs) { RopeFreqs::Present } else { RopeFreqs::Absent };
        rope_scaling::check(&metadata, rope_freqs)?;

        let infos =
            named.iter().map(|(name, file, tensor)| TensorInfo::from_gguf(*name, *file, tensor, &config));
        let (tensors, by_name) = in_order(infos.collect::<Result<_, _>>()?);
        let required = TensorName::required(config.num_hidden_layers);
        if let Some(name) = required.into_iter().find(|name| !by_name.contains_key(name)) {
            return Err(Part::TensorTable.missing(format!("{} ({name})", name.gguf())));
        }
        let owned = |key| Ok::<_, FormatError>(metadata.string(key)?.map(str::to_owned));
        Ok(Checkpoint {
            config,
            tensors,
            tokenizer: TokenizerFile::Gguf(tokenizer),
            chat_template: owned("tokenizer.chat_template")?,
            // GGUF has no place for it but the one end-of-sequence id of the tokenizer.
            generation: GenerationConfig::default(),
            name: owned("general.name")?,
            licence: owned("general.license")?,
            file_sizes,
            warnings: rope_scaling::warning(&metadata, &config, rope_freqs)?.into_iter().collect(),
            by_name,
            built_with_llama: comes_from_llama_3(&metadata),
        })
    }
}

/// That the files are the parts of one model, all of them, in their order.
fn check_split(parts: &[Gguf]) -> Result<(), FormatError> {
    let integer = |part: &Gguf, key: &str| part.metadata.integer(key);
    if parts.len() < 2 {
        return Ok(());
    }
    for (no, part) in parts.iter().enumerate() {
        for (key, expected) in [("split.count", parts.len()), ("split.no", no)] {
            let found = integer(part, key)?.ok_or_else(|| Part::Metadata.missing(key))?;
            if found != expected as u64 {
                let field = format!("{key} of file {}", no + 1);
                return Err(Part::Metadata.invalid(field, expected, found));
            }
        }
    }
    let tensors: usize = parts.iter().map(|part| part.tensors.len()).sum();
    match parts.first().map_or(Ok(None), |first| integer(first, "split.tensors.count"))? {
        Some(expected) if expected != tensors as u64 => Err(Part::Metadata.invalid(
            "split.tensors.count",
            format_args!("{tensors}, as many as the files have"),
            expected,
        )),
        _ => Ok(()),
    }
}

impl TensorInfo {
    fn from_gguf(
        name: TensorName,
        file: usize,
        tensor: &GgufTensor,
        config: &Config,
    ) -> Result<TensorInfo, FormatError> {
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
        let span = Span { file, offset: tensor.offset, len: tensor.len };
        let stored = Stored::Rows { span, order: RowOrder::Neighbours };
        Ok(TensorInfo { name, dtype: tensor.dtype, rows, columns, stored })
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
    Ok(())
}

/// Whether one of the strings that tell where a model comes from names Llama 3, 3.1, 3.2 …
fn comes_from_llama_3(metadata: &Metadata) -> bool {
    let tells_origin = |key: &str| {
        matches!(key, "general.name" | "general.basename")
            || key.starts_with("general.license")
            || key.starts_with("general.base_model.")
    };
    metadata.iter().any(|(key, value)| match value {
        Value::String(text) => tells_origin(key) && names_llama_3(text),
        _ => false,
    })
}
