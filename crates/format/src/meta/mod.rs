//! A folder as Meta gives Llama away.
//!
//! ```text
//! params.json           the dimensions
//! tokenizer.model       the vocabulary: lines of `base64 rank`
//! consolidated.00.pth   the weights; larger models have .01 and so on, each a slice of every matrix
//! ```
//!
//! RoPE turns neighbouring rows here, as in GGUF.
//! Sources: meta-llama's `llama3/model.py` and `llama_models/sku_list.py`; Hugging Face's
//! `convert_llama_weights_to_hf.py` for what Meta's code has as constants.

mod params;

pub(crate) use params::Params;

use crate::error::FormatError;
use crate::{Pth, TokenizerFile};

/// The files of Meta's folder, fetched: what [`Checkpoint::from_meta`](crate::Checkpoint::from_meta) reads.
#[derive(Debug, Clone, PartialEq)]
pub struct MetaFiles {
    /// `params.json`
    pub params: Vec<u8>,
    /// `consolidated.00.pth` and so on, in order.
    pub parts: Vec<Pth>,
    /// `tokenizer.model`
    pub tokenizer: TokenizerFile,
    /// What the model is called by whoever fetched it: the folder's name.
    pub name: Option<String>,
}

impl MetaFiles {
    /// How many `consolidated.NN.pth` the model has, from `params.json` and the first of them.
    ///
    /// # Errors
    /// If `params.json` can't be read, or the file is no part of such a model.
    pub fn parts_of(params: &[u8], first: &Pth) -> Result<usize, FormatError> {
        Params::parse(params)?.parts(first)
    }
}
