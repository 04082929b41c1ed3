//! A checkpoint from a Hugging Face folder.
//!
//! Rows of `q_proj` and `k_proj` are in [`RowOrder::Halves`] in all of them.

use std::collections::HashMap;

use super::origin::names_llama_3;
use super::{Checkpoint, RowOrder, Span, Stored, TensorInfo, in_order};
use crate::error::{FormatError, Part, quote_odd};
use crate::hub::{HubConfig, HubFiles, HubIndex, read_generation_config, read_tokenizer_config};
use crate::safetensors::{SafetensorsHeader, SafetensorsTensor, SafetensorsType};
use crate::{Config, GenerationConfig, GgmlType, LayerPart, TensorName, TokenizerFile};

const PART: Part = Part::SafetensorsHeader;

impl Checkpoint {
    /// Reads the files of a Hub folder as a Llama model.
    ///
    /// # Errors
    /// If the folder is of another architecture, if a field or tensor is missing or superfluous, disagrees with
    /// another, or is of a kind that isn't run; the error names the file and it.
    pub fn from_hub(files: HubFiles) -> Result<Checkpoint, FormatError> {
        let HubConfig { config, generation, name_or_path } = HubConfig::parse(&files.config)?;
        let mut available = Available::of(&files.weights)?;
        if let Some(index) = &files.index {
            available.check_index(index, files.weights.len())?;
        }
        let mut infos = Vec::new();
        for name in TensorName::of_model(&config) {
            infos.push(available.take(name, &config)?);
        }
        available.check_rest(&config)?;
        let (tensors, by_name) = in_order(infos);

        let (tokenizer_config, template) = match &files.tokenizer_config {
            Some(bytes) => read_tokenizer_config(bytes)?,
            None => Default::default(),
        };
        let own_template = files.chat_template.as_ref().map(|file| file.read()).transpose()?.flatten();
        let mut warnings = Vec::new();
        let stated = files.generation_config.as_deref().map(read_generation_config).transpose()?;
        let generation = merged(generation, stated, config.vocab_size, &mut warnings);
        let says_llama_3 = [&files.name, &name_or_path].into_iter().flatten().any(|name| names_llama_3(name));
        Ok(Checkpoint {
            config,
            tensors,
            tokenizer: files.tokenizer.with_config(tokenizer_config),
            chat_template: own_template.or(template),
            generation,
            name: files.name,
            licence: None,
            file_sizes: files.weights.iter().map(|header| header.file_size).collect(),
            warnings,
            by_name,
            built_with_llama: says_llama_3,
        })
    }
}

impl TokenizerFile {
    fn with_config(self, config: crate::TokenizerConfig) -> TokenizerFile {
        match self {
            TokenizerFile::HuggingFace { json, .. } => TokenizerFile::HuggingFace { json, config },
            TokenizerFile::Tiktoken { model, .. } => TokenizerFile::Tiktoken { model, config },
            other => other,
        }
    }
}

/// All ids that either file names, and what else `generation_config.json` says.
/// Ids past the vocabulary's end never come out of the model: a model can do without them, and says so.
fn merged(
    from_config: GenerationConfig,
    stated: Option<GenerationConfig>,
    vocab_size: usize,
    warnings: &mut Vec<String>,
) -> GenerationConfig {
    let stated = stated.unwrap_or_default();
    let mut eos_token_ids = [from_config.eos_token_ids, stated.eos_token_ids].concat();
    eos_token_ids.sort_unstable();
    eos_token_ids.dedup();
    let mut known = |key: &str, id: &u32| {
        let known = (*id as usize) < vocab_size;
        if !known {
            warnings.push(format!(
                "The model's files give {id} as {key}, and its vocabulary has only {vocab_size} tokens."
            ));
        }
        known
    };
    eos_token_ids.retain(|id| known("eos_token_id", id));
    let bos_token_id =
        stated.bos_token_id.or(from_config.bos_token_id).filter(|id| known("bos_token_id", id));
    GenerationConfig { eos_token_ids, bos_token_id, ..stated }
}

/// The tensors that the files have and that have not been asked for yet.
struct Available<'a> {
    tensors: HashMap<&'a str, (usize, &'a SafetensorsTensor)>,
}

impl<'a> Available<'a> {
    fn of(files: &'a [SafetensorsHeader]) -> Result<Available<'a>, FormatError> {
        let mut tensors = HashMap::new();
        for (file, header) in files.iter().enumerate() {
            for tensor in &header.tensors {
                if tensors.insert(tensor.name.as_str(), (file, tensor)).is_some() {
                    return Err(PART.invalid(quote_odd(&tensor.name), "in one of the files only", "in two"));
                }
            }
        }
        Ok(Available { tensors })
    }

    /// That each tensor is where the index says.
    fn check_index(&self, index: &HubIndex, files: usize) -> Result<(), FormatError> {
        if index.files.len() != files {
            let expected = format!("{files}, as many as were opened");
            return Err(Part::IndexJson.invalid("number of files", expected, index.files.len()));
        }
        for (tensor, file) in &index.tensors {
            let found = self.tensors.get(tensor.as_str()).map(|(found, _)| *found);
            if found != Some(*file) {
                let named = |file: usize| index.files.get(file).map_or("another file", String::as_str);
                let expected = format!("a tensor in {}", named(*file));
                return Err(Part::IndexJson.invalid(
                    quote_odd(tensor),
                    expected,
                    found.map_or("none", named),
                ));
            }
        }
        Ok(())
    }

    /// A tensor that the model needs.
    fn take(&mut self, name: TensorName, config: &Config) -> Result<TensorInfo, FormatError> {
        let stored_name = name.to_string();
        let [rows, columns] = config.shape(name);
        let (file, tensor) =
            self.tensors.remove(stored_name.as_str()).ok_or_else(|| PART.missing(stored_name.clone()))?;
        let expected =
            if name.is_vector() { vec![columns as u64] } else { vec![rows as u64, columns as u64] };
        if tensor.shape != expected {
            let [expected, found] = [&expected, &tensor.shape].map(|shape| format!("shape {shape:?}"));
            return Err(PART.invalid(stored_name, expected, found));
        }
        let dtype = match tensor.dtype {
            SafetensorsType::F32 => GgmlType::F32,
            SafetensorsType::F16 => GgmlType::F16,
            SafetensorsType::BF16 => GgmlType::BF16,
            other => {
                return Err(FormatError::Unsupported {
                    what: "Tensor type",
                    found: format!("{other} of {stored_name}"),
                    supported: "F32, F16 and BF16".into(),
                });
            }
        };
        let span = Span { file, offset: tensor.offset, len: tensor.len };
        Ok(TensorInfo {
            name,
            dtype,
            rows,
            columns,
            stored: Stored::Rows { span, order: RowOrder::of_hub(name, config) },
        })
    }

    /// That nothing is left over but what a Llama can do without.
    fn check_rest(&self, config: &Config) -> Result<(), FormatError> {
        let can_be_left = |name: &str| {
            // Buffers of old checkpoints, computed from the config; and the output of a model that shares its input's.
            name.ends_with(".rotary_emb.inv_freq") || (config.tie_word_embeddings && name == "lm_head.weight")
        };
        let mut rest: Vec<&str> = self.tensors.keys().copied().filter(|name| !can_be_left(name)).collect();
        rest.sort_unstable();
        let Some(name) = rest.first() else { return Ok(()) };
        let layers = config.num_hidden_layers;
        Err(match TensorName::from_hugging_face(name) {
            Some(TensorName::Layer { index, .. }) => {
                PART.invalid(*name, format_args!("a layer below {layers}"), format_args!("layer {index}"))
            }
            _ => PART.invalid(quote_odd(name), "a tensor of Llama's", "another"),
        })
    }
}

impl RowOrder {
    /// The order in which Hugging Face's files have a tensor's rows.
    pub(super) fn of_hub(name: TensorName, config: &Config) -> RowOrder {
        match name {
            TensorName::Layer { part: LayerPart::QProj | LayerPart::KProj, .. } => {
                RowOrder::Halves { head_dim: config.head_dim }
            }
            _ => RowOrder::Neighbours,
        }
    }
}
