//! Model files, read without IO: bytes in, a checked description out.
//!
//! The caller fetches bytes, from wherever they rest, and hands them to the parser of the container: [`Gguf::parse`],
//! [`SafetensorsHeader::parse`], [`MlcCache::parse`] or [`PthReader`]. [`Checkpoint`] then says what the files mean for
//! Llama: config, tensors, tokenizer.
//!
//! ```text
//! header bytes -> Gguf, Pth, ... (what a file says) -> Checkpoint (what the model needs, every claim checked)
//! all bytes -> RowReader -> rows of each tensor, in one order of rows -> dequantize -> f32
//! f32 -> quantize, quantize_best -> blocks: also on the way, for Checkpoint::quantized
//! ```
//!
//! | container | rows come out as |
//! |---|---|
//! | GGUF, whole or split | the file's own types |
//! | Hub folder of safetensors: F32, F16, BF16 | the same |
//! | the same with AWQ, GPTQ, compressed-tensors or NF4 | `Q4_0`, `Q4_Z`, `Q8_0`: see `packed` |
//! | MLC folder, q4f16_1 | `Q4_0` |
//! | Meta's `.pth`, in one part or several | BF16 |
//!
//! Whoever holds a [`Checkpoint`] need not check again: every length lies inside the file, every shape agrees
//! with the config, every type can be computed with.
//! Files are hostile until checked, and longer than wasm32's `usize` counts: offsets and lengths are `u64`.

#![forbid(unsafe_code)]

mod blocks;
mod checkpoint;
mod config;
mod error;
mod generation;
mod ggml_type;
mod gguf;
mod hub;
mod json;
pub mod layout;
mod manifest;
mod meta;
mod mlc;
mod packed;
mod plain_name;
mod pth;
mod quant;
mod reader;
mod rope_scaling;
mod rows;
mod safetensors;
pub mod sampling;
mod shortest;
mod split_names;
mod tensor_name;
mod tokenizer;

pub use blocks::{dequantize, quantize, quantize_best};
pub use checkpoint::{Along, Checkpoint, Laid, Merged, RowOrder, Span, Stored, TensorInfo};
pub use config::Config;
pub use error::{FormatError, Part};
pub use generation::GenerationConfig;
pub use ggml_type::GgmlType;
pub use gguf::{Array, Gguf, GgufTensor, Metadata, Value, ValueType};
pub use hub::{ChatTemplateFile, HubFiles, HubIndex, TokenizerConfig};
pub use manifest::{Hash, LaidPart, Manifest, ManifestFile, ManifestFiles, ManifestTensor};
pub use meta::MetaFiles;
pub use mlc::{MlcCache, MlcFiles};
pub use packed::{NF4, Packed};
pub use pth::{Pth, PthReader, PthTensor};
pub use quant::Quant;
pub use rope_scaling::RopeScaling;
pub use rows::{LaidRows, RowReader, Rows, put_in_place};
pub use safetensors::{SafetensorsHeader, SafetensorsTensor, SafetensorsType};
pub use sampling::{LogProbs, Penalties, Sampling};
pub use shortest::shortest;
pub use split_names::split_names;
pub use tensor_name::{LayerPart, TensorName};
pub use tokenizer::{Tokenizer, TokenizerFile};
