//! A synthetic model as a folder of Hugging Face's, which is what people have before they convert anything.

use std::io::{self, Write};

use serde_json::{Map, Value, json};

use super::Synthetic;
use crate::beside::small_files;
use crate::{ConvertError, Progress, Source};

/// Bytes that are made and written at once.
const WRITTEN_AT_ONCE: u64 = 8 << 20;

impl Synthetic {
    /// Every file of the folder but the weights'; `source` is what they are said to come from.
    pub fn small_files(&self, source: &str) -> Vec<(String, Vec<u8>)> {
        small_files(&self.checkpoint, &self.licences, source)
    }

    /// Writes `model.safetensors`: all weights, in bfloat16.
    ///
    /// # Errors
    /// If `into` can't be written.
    pub fn write_safetensors(
        &self,
        into: &mut dyn Write,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(), ConvertError> {
        let failed = |error: io::Error| ConvertError::Output { detail: error.to_string() };
        into.write_all(&self.safetensors_header()).map_err(failed)?;
        let total = self.checkpoint.size();
        let (mut done, mut bytes) = (0, Vec::new());
        while done < total {
            let end = total.min(done + WRITTEN_AT_ONCE);
            bytes.clear();
            let made = self.source.read(0, done..end, &mut bytes);
            made.map_err(|detail| ConvertError::Source { detail })?;
            into.write_all(&bytes).map_err(failed)?;
            done = end;
            progress(Progress { done, total });
        }
        Ok(())
    }

    /// What stands before the weights: a length and JSON, in whole words.
    fn safetensors_header(&self) -> Vec<u8> {
        let mut entries = Map::new();
        for tensor in &self.checkpoint.tensors {
            for span in tensor.stored.spans() {
                let shape = match tensor.rows {
                    1 => vec![tensor.columns],
                    rows => vec![rows, tensor.columns],
                };
                let data_offsets = [span.offset, span.offset + span.len];
                let entry = json!({ "dtype": "BF16", "shape": shape, "data_offsets": data_offsets });
                entries.insert(tensor.name.to_string(), entry);
            }
        }
        let mut json = Value::Object(entries).to_string().into_bytes();
        json.resize(json.len().next_multiple_of(8), b' ');
        [(json.len() as u64).to_le_bytes().as_slice(), &json].concat()
    }
}
