//! Model files, read without IO: bytes in, a checked description out.
//!
//! The caller fetches the first bytes of a file, from wherever it rests, and hands them to [`Gguf::parse`];
//! [`Checkpoint::from_gguf`] then says what the file means for Llama: config, tensors, tokenizer.
//!
//! ```text
//! first bytes -> Gguf (what the file says) -> Checkpoint (what the model needs, every claim checked)
//! all bytes, in order -> RowReader -> rows of each tensor, in one order of rows -> dequantize -> f32
//! f32 -> quantize, quantize_best -> blocks
//! ```
//!
//! Whoever holds a [`Checkpoint`] need not check again: every length lies inside the file, every shape agrees
//! with the config, every type can be computed with.
//! Files are hostile until checked, and longer than wasm32's `usize` counts: offsets and lengths are `u64`.

#![forbid(unsafe_code)]

mod blocks;
mod checkpoint;
mod config;
mod error;
mod folder;
mod generation;
mod ggml_type;
mod gguf;
mod hub;
mod json;
pub mod layout;
mod meta;
mod mlc;
mod packed;
mod plain_name;
mod pth;
mod reader;
mod rope_scaling;
mod rows;
mod safetensors;
mod split_names;
mod tensor_name;
mod tokenizer;

pub use blocks::{dequantize, quantize, quantize_best};
pub use checkpoint::{Along, Checkpoint, Merged, RowOrder, Span, Stored, TensorInfo};
pub use config::Config;
pub use error::{FormatError, Part};
pub use folder::{ModelFolder, Needs};
pub use generation::GenerationConfig;
pub use ggml_type::GgmlType;
pub use gguf::{Array, Gguf, GgufTensor, Metadata, Value, ValueType};
pub use hub::{ChatTemplateFile, HubFiles, HubIndex, TokenizerConfig};
pub use meta::MetaFiles;
pub use mlc::{MlcCache, MlcFiles};
pub use packed::Packed;
pub use pth::{Pth, PthReader, PthTensor};
pub use rope_scaling::RopeScaling;
pub use rows::{RowReader, Rows};
pub use safetensors::{SafetensorsHeader, SafetensorsTensor, SafetensorsType};
pub use split_names::split_names;
pub use tensor_name::{LayerPart, TensorName};
pub use tokenizer::{Tokenizer, TokenizerFile};
