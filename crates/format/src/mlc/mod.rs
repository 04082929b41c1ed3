//! A folder as MLC makes it for WebLLM: two files of JSON, and weights in shards.
//!
//! ```text
//! mlc-chat-config.json   {"model_type": "llama", "quantization": "q4f16_1", "model_config": {"hidden_size": ...}, ...}
//! tensor-cache.json      where each tensor lies; ndarray-cache.json before September 2025
//! params_shard_0.bin     tensors one behind the other, 32 MB, or one larger tensor alone
//! tokenizer.json, tokenizer_config.json   as in a Hub folder
//! ```
//!
//! `q_proj`, `k_proj` and `v_proj` are one tensor, `qkv_proj`, and `gate_proj` and `up_proj` another: row behind row,
//! so that each of them is a stretch of it.
//! Sources: mlc-llm's `LlamaConfig`, `llama_loader.py` and `group_quantization.py`; TVM's `dump_ndarray_cache`.

mod cache;
mod config;

pub use cache::MlcCache;
pub(crate) use cache::{MlcTensor, MlcType};
pub(crate) use config::MlcConfig;

use crate::TokenizerFile;

/// The files of an MLC folder, fetched: what [`Checkpoint::from_mlc`](crate::Checkpoint::from_mlc) reads.
#[derive(Debug, Clone, PartialEq)]
pub struct MlcFiles {
    /// `mlc-chat-config.json`
    pub config: Vec<u8>,
    /// `tensor-cache.json` or `ndarray-cache.json`, read. Its `files` are the weights' files, in their order.
    pub cache: MlcCache,
    /// `tokenizer.json`
    pub tokenizer: TokenizerFile,
    /// `tokenizer_config.json`, if there is one: it has the chat template.
    pub tokenizer_config: Option<Vec<u8>>,
    /// What the model is called by whoever fetched it: the folder's or the repository's name.
    pub name: Option<String>,
}
