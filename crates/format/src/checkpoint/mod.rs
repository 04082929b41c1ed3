//! What a model's files mean for Llama: config, tensors and tokenizer, complete and in agreement with each other.
//!
//! Everything that loading and running relies on is checked here, before the first weight is fetched:
//! a download of gigabytes must not end in "not supported".

mod available;
mod gguf;
mod hub;
mod hub_packed;
mod manifest;
mod meta;
mod mlc;
mod origin;
mod tensor;

use std::collections::HashMap;

pub use tensor::{Along, Laid, Merged, RowOrder, Span, Stored, TensorInfo};

use crate::{Config, GenerationConfig, GgmlType, TensorName, TokenizerFile};

/// A model that can be loaded and run.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    /// The model's dimensions.
    pub config: Config,
    /// All tensors, by their place in the files. No two overlap.
    pub tensors: Vec<TensorInfo>,
    /// Vocabulary and special tokens.
    pub tokenizer: TokenizerFile,
    /// How a conversation becomes text, in Jinja.
    pub chat_template: Option<String>,
    /// How its makers want text generated.
    pub generation: GenerationConfig,
    /// What the files call the model.
    pub name: Option<String>,
    /// The licence's identifier, as in `apache-2.0` or `llama3.1`.
    pub licence: Option<String>,
    /// Lengths of the files that hold the weights, in bytes; [`Span::file`] counts them.
    pub file_sizes: Vec<u64>,
    /// What works, yet not as well as it should: a sentence each.
    pub warnings: Vec<String>,
    by_name: HashMap<TensorName, usize>,
    built_with_llama: bool,
}

/// Puts tensors in the order of their bytes, and says where each is then.
fn in_order(mut tensors: Vec<TensorInfo>) -> (Vec<TensorInfo>, HashMap<TensorName, usize>) {
    tensors.sort_by_key(|tensor| tensor.stored.spans().iter().min().copied());
    let by_name = tensors.iter().enumerate().map(|(at, tensor)| (tensor.name, at)).collect();
    (tensors, by_name)
}

impl Checkpoint {
    /// Bytes of the files that hold the weights.
    pub fn size(&self) -> u64 {
        self.file_sizes.iter().sum()
    }

    /// Whether [`RowReader`](crate::RowReader) can read the files from the first byte to the last, once.
    /// If not, it tells with [`wants`](crate::RowReader::wants) which bytes it needs next, back and forth.
    pub fn in_one_pass(&self) -> bool {
        let mut at = (0, 0);
        self.tensors.iter().all(|tensor| match tensor.spans_of_one_pass() {
            None => false,
            Some(spans) => spans.into_iter().all(|span| {
                let is_ahead = (span.file, span.offset) >= at;
                at = (span.file, span.offset.saturating_add(span.len));
                is_ahead
            }),
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
