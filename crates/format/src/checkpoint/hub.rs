//! A checkpoint from a Hugging Face folder.
//!
//! Rows of `q_proj` and `k_proj` are in [`RowOrder::Halves`](super::RowOrder::Halves) in all of them.

use super::available::Available;
use super::origin::names_llama_3;
use super::{Checkpoint, in_order};
use crate::error::FormatError;
use crate::hub::{HubConfig, HubFiles, read_generation_config, read_with_template};
use crate::{GenerationConfig, TensorName, TokenizerFile};

impl Checkpoint {
    /// Reads the files of a Hub folder as a Llama model.
    ///
    /// # Errors
    /// If the folder is of another architecture, if a field or tensor is missing or superfluous, disagrees with
    /// another, or is of a kind that isn't run; the error names the file and it.
    pub fn from_hub(files: HubFiles) -> Result<Checkpoint, FormatError> {
        let HubConfig { config, generation, quantization, name_or_path } = HubConfig::parse(&files.config)?;
        let mut available = Available::of(&files.weights, &config, quantization)?;
        if let Some(index) = &files.index {
            available.check_index(index, files.weights.len())?;
        }
        let mut infos = Vec::new();
        for name in TensorName::of_model(&config) {
            infos.push(available.take(name)?);
        }
        available.check_rest()?;
        let (tensors, by_name) = in_order(infos);

        let (tokenizer_config, chat_template) =
            read_with_template(files.tokenizer_config.as_deref(), files.chat_template.as_ref())?;
        let mut warnings = Vec::new();
        let stated = files.generation_config.as_deref().map(read_generation_config).transpose()?;
        let generation = merged(generation, stated, config.vocab_size, &mut warnings);
        let says_llama_3 = [&files.name, &name_or_path].into_iter().flatten().any(|name| names_llama_3(name));
        Ok(Checkpoint {
            config,
            tensors,
            tokenizer: files.tokenizer.with_config(tokenizer_config),
            chat_template,
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
    pub(super) fn with_config(self, config: crate::TokenizerConfig) -> TokenizerFile {
        match self {
            TokenizerFile::HuggingFace { json, .. } => TokenizerFile::HuggingFace { json, config },
            TokenizerFile::Tiktoken { model, .. } => TokenizerFile::Tiktoken { model, config },
            other => other,
        }
    }
}

/// All ids that either file names, and what else `generation_config.json` says.
/// Ids past the vocabulary's end never come out of the model: a model can do without them, and says so.
pub(super) fn merged(
    from_config: GenerationConfig,
    stated: Option<GenerationConfig>,
    vocab_size: usize,
    warnings: &mut Vec<String>,
) -> GenerationConfig {
    let stated = stated.unwrap_or_default();
    let mut eos_token_ids = [from_config.eos_token_ids, stated.eos_token_ids].concat();
    eos_token_ids.sort_unstable();
    eos_token_ids.dedup();
    let mut known = |key: &str, ids: Vec<u32>| {
        let (known, unknown): (Vec<u32>, Vec<u32>) =
            ids.into_iter().partition(|id| (*id as usize) < vocab_size);
        // One stands for all.
        warnings.extend(unknown.first().map(|id| {
            format!("The model's files give {id} as {key}, and its vocabulary has only {vocab_size} tokens.")
        }));
        known
    };
    let eos_token_ids = known("eos_token_id", eos_token_ids);
    let bos_token_id = stated.bos_token_id.or(from_config.bos_token_id);
    let bos_token_id = known("bos_token_id", bos_token_id.into_iter().collect()).pop();
    GenerationConfig { eos_token_ids, bos_token_id, ..stated }
}
