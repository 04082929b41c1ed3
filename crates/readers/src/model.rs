//! The smallest Llama, for readers of one file of several: what it says is compared with what the others say.

use std::sync::LazyLock;

use format::layout::TILE;
use format::{
    Checkpoint, Config, FormatError, HubFiles, RowReader, SafetensorsHeader, SafetensorsTensor,
    SafetensorsType, TensorName, TokenizerFile,
};

/// Each dimension is another's neither equal nor multiple where it need not be.
pub(crate) const CONFIG: Config = Config {
    hidden_size: 64,
    intermediate_size: 96,
    num_hidden_layers: 1,
    num_attention_heads: 2,
    num_key_value_heads: 1,
    head_dim: 32,
    vocab_size: 40,
    max_position_embeddings: 64,
    rms_norm_eps: 1e-5,
    rope_theta: 10_000.0,
    rope_scaling: None,
    tie_word_embeddings: true,
};

/// The same as `config.json`, with further fields.
pub(crate) fn config_json(more: &str) -> String {
    let Config {
        hidden_size, intermediate_size, num_attention_heads, num_key_value_heads, vocab_size, ..
    } = CONFIG;
    format!(
        "{{\"architectures\": [\"LlamaForCausalLM\"], \"hidden_size\": {hidden_size}, \
         \"intermediate_size\": {intermediate_size}, \"num_hidden_layers\": 1, \
         \"num_attention_heads\": {num_attention_heads}, \"num_key_value_heads\": {num_key_value_heads}, \
         \"vocab_size\": {vocab_size}, \"rms_norm_eps\": 1e-5, \"tie_word_embeddings\": true{more}}}"
    )
}

/// A tensor before it has a place.
pub(crate) type Part = (String, SafetensorsType, Vec<u64>);

/// A tensor as a model has it that is not quantized.
pub(crate) fn plain(name: TensorName) -> Part {
    let [rows, columns] = CONFIG.shape(name).map(|n| n as u64);
    let shape = if rows == 1 { vec![columns] } else { vec![rows, columns] };
    (name.to_string(), SafetensorsType::F16, shape)
}

/// A header with the parts one behind the other.
pub(crate) fn header(parts: impl IntoIterator<Item = Part>) -> SafetensorsHeader {
    let mut end = 0;
    let mut tensors = Vec::new();
    for (name, dtype, shape) in parts {
        let len = dtype.bytes(shape.iter().product()).unwrap_or(0);
        tensors.push(SafetensorsTensor { name, dtype, shape, offset: end, len });
        end += len;
    }
    SafetensorsHeader { metadata: Vec::new(), tensors, data_offset: 0, file_size: end }
}

/// A healthy folder, of which one file is to be replaced.
pub(crate) fn folder() -> HubFiles {
    static HEADER: LazyLock<SafetensorsHeader> =
        LazyLock::new(|| header(TensorName::of_model(&CONFIG).map(plain)));
    HubFiles {
        config: config_json("").into_bytes(),
        generation_config: None,
        tokenizer: TokenizerFile::Absent,
        tokenizer_config: None,
        chat_template: None,
        index: None,
        weights: vec![HEADER.clone()],
        name: None,
    }
}

/// All rows of all tensors, as numbers.
pub(crate) fn read_rows(checkpoint: &Checkpoint, files: &[&[u8]]) -> Result<(), FormatError> {
    let mut reader = RowReader::new(checkpoint);
    let mut values = Vec::new();
    while let Some(span) = reader.wants() {
        let file = files.get(span.file).copied().unwrap_or_default();
        let bytes = file.get(span.offset as usize..(span.offset + span.len) as usize);
        assert!(bytes.is_some(), "{span:?} of {} bytes", file.len());
        reader.push::<FormatError>(span.file, span.offset, bytes.unwrap_or_default(), &mut |rows| {
            for first in (0..rows.count()).step_by(TILE) {
                values.clear();
                rows.append_values(first..rows.count().min(first + TILE), &mut values)?;
            }
            Ok(())
        })?;
    }
    reader.finish()
}
