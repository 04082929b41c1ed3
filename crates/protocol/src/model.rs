//! How a model is named, offered and described.

use serde::{Deserialize, Serialize};

use crate::{Kv, SamplingDefaults};

/// Where a model's bytes come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelSource {
    /// A GGUF file over HTTP. `pieces` are the SHA-256 of its 16 MiB pieces in hexadecimal, if known beforehand.
    Url {
        /// Absolute, or relative to the page.
        url: String,
        /// Expected hashes; empty when nobody has published them.
        #[serde(default)]
        pieces: Vec<String>,
    },
    /// A GGUF file that the person picked or dropped, perhaps with the others that it was split into; they are read by
    /// ranges and never copied.
    File {
        /// The file's name; the first one's, if there are several.
        name: String,
    },
}

/// A model that the page offers: one entry of the site's `models.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CatalogueEntry {
    /// What people call it, e.g. `SmolLM2 135M Instruct`.
    pub name: String,
    /// One sentence on what it is good for.
    pub description: String,
    /// Absolute, or relative to the page.
    pub url: String,
    /// Size of the download in bytes.
    pub bytes: u64,
    /// SPDX name or the licence's own, e.g. `apache-2.0`.
    pub licence: String,
    /// Where the licence can be read.
    pub licence_url: String,
    /// SHA-256 of each 16 MiB piece, hexadecimal, in file order.
    #[serde(default)]
    pub pieces: Vec<String>,
    /// Whether its bytes are stored on this machine already. The worker fills this in.
    #[serde(default)]
    pub stored: bool,
}

/// What the worker knows of the model it has loaded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelInfo {
    /// `general.name` of the file, or the file's name.
    pub name: String,
    /// Size of the file in bytes.
    pub bytes: u64,
    /// Number of weights.
    pub parameters: u64,
    /// The file's most frequent weight type, e.g. `Q4_1`.
    pub quantization: String,
    /// The licence the file names, if it does.
    pub licence: Option<String>,
    /// Whether the Llama licence asks for the line "Built with Llama" to be shown.
    pub built_with_llama: bool,
    /// Tokens that fit the KV cache: prompt and answer together.
    pub context: u32,
    /// Tokens the model was trained to attend to.
    pub max_context: u32,
    /// How its makers want tokens drawn.
    #[serde(default)]
    pub sampling: SamplingDefaults,
    /// How keys and values are stored.
    #[serde(default)]
    pub kv: Kv,
    /// Bytes of keys and values that a token of the context takes on the device.
    #[serde(default)]
    pub kv_bytes_per_token: u64,
    /// What works, yet not as well as it should: a sentence each.
    #[serde(default)]
    pub warnings: Vec<String>,
}
