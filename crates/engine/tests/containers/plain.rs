//! The golden Llama, and the plain containers that it can be written as.

use format::{HubIndex, SafetensorsHeader, TensorName};
use half::{bf16, f16};
use serde_json::Value;

use crate::Container;
use crate::plain_writers::{gguf_file, params, pth_file};
use crate::tiny_llama::{self, read};
use crate::weights::weights;
use crate::writer::{Tensor, safetensors};

const CONFIG: &str = "config.json";
const INDEX: &str = "model.safetensors.index.json";

/// golden/tiny-llama-3.1: bfloat16 in two files.
pub(crate) struct Golden {
    pub(crate) config: Value,
    /// As the files have them.
    pub(crate) tensors: Vec<Tensor>,
    /// 33 ids.
    pub(crate) prompt: Vec<u32>,
    /// What transformers computes after the prompt: `[vocab_size]`.
    pub(crate) logits: Vec<f32>,
}

/// The weights' files by their names.
fn weights_files() -> Vec<(String, Vec<u8>)> {
    let index = HubIndex::parse(&read(INDEX)).unwrap();
    index.files.into_iter().map(|name| (name.clone(), read(&name))).collect()
}

impl Golden {
    pub(crate) fn read() -> Golden {
        let golden: Value = serde_json::from_slice(&read("golden.json")).unwrap();
        let case =
            golden["cases"].as_array().unwrap().iter().find(|case| case["name"] == "prefill-33").unwrap();
        let tensors = weights_files().into_iter().flat_map(|(_, bytes)| {
            let header = SafetensorsHeader::parse(&bytes, bytes.len() as u64).unwrap();
            let tensor = move |tensor: format::SafetensorsTensor| Tensor {
                file: 0,
                name: tensor.name,
                dtype: "BF16",
                shape: tensor.shape.iter().map(|n| *n as usize).collect(),
                bytes: bytes[tensor.offset as usize..][..tensor.len as usize].to_vec(),
            };
            header.tensors.into_iter().map(tensor)
        });
        Golden {
            config: serde_json::from_slice(&read(CONFIG)).unwrap(),
            tensors: tensors.collect(),
            prompt: serde_json::from_value(case["input_ids"].clone()).unwrap(),
            logits: serde_json::from_value(case["last_logits"].clone()).unwrap(),
        }
    }

    /// The same weights in every plain container, the golden's own first.
    pub(crate) fn containers(&self) -> Vec<Container> {
        let mut files = vec![(CONFIG.to_owned(), read(CONFIG)), (INDEX.to_owned(), read(INDEX))];
        files.extend(weights_files());
        let mut containers = vec![Container { name: "bfloat16 in two files".to_owned(), files }];
        containers.push(self.single_file("F32", |value| value.to_le_bytes().into()));
        // A half has all digits of these weights but the last few of the very smallest, below 2^-17.
        containers.push(self.single_file("F16", |value| f16::from_f32(value).to_le_bytes().into()));
        let (checkpoint, files) = tiny_llama::open();
        // Rows in the order in which Meta and GGUF have them.
        let (config, mut weights) = (checkpoint.config, weights(&checkpoint, &files));
        for parts in [1, 2] {
            let part =
                |part| (format!("consolidated.{part:02}.pth"), pth_file(&config, &weights, part, parts));
            let mut files: Vec<_> = (0..parts).map(part).collect();
            files.push(("params.json".to_owned(), params().to_string().into_bytes()));
            containers.push(Container { name: format!("Meta's in {parts} parts"), files });
        }
        weights.insert(TensorName::RopeFreqs, config.rope_freqs().unwrap());
        containers.push(Container::new("GGUF", [("tiny.gguf", gguf_file(&config, &weights))]));
        containers
    }

    fn single_file(&self, dtype: &'static str, write: impl Fn(f32) -> Vec<u8>) -> Container {
        let tensor = |tensor: &Tensor| {
            let bytes = values(tensor).into_iter().flat_map(&write).collect();
            Tensor { dtype, bytes, ..tensor.clone() }
        };
        hub_folder(dtype, &self.config, self.tensors.iter().map(tensor).collect())
    }
}

/// A tensor of bfloat16 in `f32`.
pub(crate) fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.bytes.as_chunks().0.iter().map(|le| bf16::from_le_bytes(*le).to_f32()).collect()
}

/// A Hub folder with one file of weights, in safetensors' own order: wide types first, then by name.
/// Parts of a packed tensor lie far from each other then.
pub(crate) fn hub_folder(name: &str, config: &Value, mut tensors: Vec<Tensor>) -> Container {
    let width = |tensor: &Tensor| match tensor.dtype {
        "I64" => 8,
        "I32" | "F32" => 4,
        _ => 2,
    };
    tensors.sort_by_key(|tensor| (std::cmp::Reverse(width(tensor)), tensor.dtype, tensor.name.clone()));
    let weights = safetensors(tensors.iter());
    Container::new(name, [(CONFIG, config.to_string().into_bytes()), ("model.safetensors", weights)])
}
