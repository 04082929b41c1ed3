//! A folder as the Hugging Face Hub has it: small files of JSON, and weights in safetensors.
//!
//! ```text
//! config.json                    the dimensions                               -> Config
//! generation_config.json         eos ids, temperature, top_p                  -> GenerationConfig
//! tokenizer.json                 carried as it is; `chat` reads it            -> TokenizerFile
//! tokenizer_config.json          special tokens; the chat template in older folders
//! chat_template.jinja / .json    the chat template in newer ones
//! model.safetensors.index.json   which file holds which tensor, if there are several
//! model-00001-of-0000N.safetensors
//! ```
//!
//! [`Checkpoint::from_hub`](crate::Checkpoint::from_hub) reads them all.
//! Source of the fields: transformers' `LlamaConfig`, `GenerationConfig` and `PreTrainedTokenizerBase`.

mod chat_template;
mod config;
mod dimensions;
pub(crate) mod generation;
mod index;
mod quantization;
pub(crate) mod rope;
mod tokenizer_config;

pub use chat_template::ChatTemplateFile;
pub(crate) use config::HubConfig;
pub(crate) use generation::read_generation_config;
pub use index::HubIndex;
pub(crate) use quantization::{Group, Quantization};
pub use tokenizer_config::TokenizerConfig;
pub(crate) use tokenizer_config::read_with_template;

use crate::{SafetensorsHeader, TokenizerFile};

/// The files of a Hub folder, fetched: what [`Checkpoint::from_hub`](crate::Checkpoint::from_hub) reads.
#[derive(Debug, Clone, PartialEq)]
pub struct HubFiles {
    /// `config.json`
    pub config: Vec<u8>,
    /// `generation_config.json`, if there is one.
    pub generation_config: Option<Vec<u8>>,
    /// `tokenizer.json` or `tokenizer.model`.
    pub tokenizer: TokenizerFile,
    /// `tokenizer_config.json`, if there is one.
    pub tokenizer_config: Option<Vec<u8>>,
    /// `chat_template.jinja` or `chat_template.json`, if there is one. It goes before the one in `tokenizer_config`.
    pub chat_template: Option<ChatTemplateFile>,
    /// `model.safetensors.index.json`, if there is one.
    pub index: Option<HubIndex>,
    /// The headers of the weights' files, in the order in which [`HubIndex::files`] names them.
    pub weights: Vec<SafetensorsHeader>,
    /// What the model is called by whoever fetched it: the folder's or the repository's name.
    pub name: Option<String>,
}
