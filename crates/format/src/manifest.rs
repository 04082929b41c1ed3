//! `manifest.json`: what a folder that Pronk wrote has in it, with the SHA-256 of everything.
//!
//! ```text
//! { "format": "pronk model", "version": 1,
//!   "name": "SmolLM2-135M", "licence": "apache-2.0", "built_with_llama": false,
//!   "source": "what it was made from, and a mark that tells whether it is still the same",
//!   "files": [{"name": "config.json", "size": 701, "sha256": "..."},
//!             {"name": "model-00001-of-00002.safetensors", "size": ..., "sha256": "...", "pieces": ["...", "..."]}],
//!   "tensors": [{"name": "lm_head.weight", "type": "Q6", "shape": [1000, 128],
//!                "parts": [{"file": "model-00001-of-00002.safetensors", "rows": 512, "scales": 640, "words": 7808},
//!                          {"file": "model-00002-of-00002.safetensors", "rows": 488, ...}]}],
//!   "sha256": "of all before this hash" }
//! ```
//!
//! `pieces` are there for files of more than 16 MiB: a hash for each 16 MiB of it. `scales` and `words` are the bytes at
//! which a part's two arrays begin in the file; how long they are follows from type, rows and columns
//! ([`layout`](crate::layout)). Vectors have type `F32`, one row, and no scales. The parts of a tensor follow each other
//! row by row, and all but the last have a multiple of 4 rows.
//!
//! The last hash is of the file's own bytes up to it: one changed byte, wherever, and nothing is loaded.

mod parse;
mod write;

/// Files of which more than this many are in a folder are none of ours.
const MAX_FILES: usize = 10_000;

/// A file longer than this has a hash for each stretch of it: what is fetched, kept and checked at once.
pub(crate) const PIECE_BYTES: u64 = 16 << 20;

/// A SHA-256.
pub type Hash = [u8; 32];

/// What a model folder of ours holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// What its source calls the model.
    pub name: Option<String>,
    /// The licence's identifier, as in `apache-2.0`.
    pub licence: Option<String>,
    /// Whether Llama 3's licence applies.
    pub built_with_llama: bool,
    /// What it was made from.
    pub source: String,
    /// Every file but the manifest itself.
    pub files: Vec<ManifestFile>,
    /// Every tensor.
    pub tensors: Vec<ManifestTensor>,
}

/// A file of the folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestFile {
    /// A plain name.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// SHA-256 of all of it.
    pub sha256: Hash,
    /// SHA-256 of each 16 MiB, the last of what is left; none for an empty file.
    pub pieces: Vec<Hash>,
}

/// A tensor of the folder, as it is named and typed there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestTensor {
    /// Hugging Face's name, or `rope_freqs.weight`.
    pub name: String,
    /// The layout's name, as in `Q4`.
    pub dtype: String,
    /// Rows and columns.
    pub shape: [usize; 2],
    /// Where its rows lie, in order.
    pub parts: Vec<LaidPart>,
}

/// Some rows of a tensor, in one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LaidPart {
    /// Which of [`Manifest::files`].
    pub file: usize,
    /// How many rows.
    pub rows: usize,
    /// Where its scales begin in the file, if the type has any.
    pub scales: Option<u64>,
    /// Where its words begin in the file.
    pub words: u64,
}

/// The files beside the weights, fetched and compared with the manifest: what
/// [`Checkpoint::from_manifest`](crate::Checkpoint::from_manifest) reads.
#[derive(Debug, Clone, PartialEq)]
pub struct ManifestFiles {
    /// The manifest.
    pub manifest: Manifest,
    /// `config.json`
    pub config: Vec<u8>,
    /// `generation_config.json`, if there is one.
    pub generation_config: Option<Vec<u8>>,
    /// `tokenizer.json`, `tokenizer.model` or `tokenizer.gguf`.
    pub tokenizer: crate::TokenizerFile,
    /// `tokenizer_config.json`, if there is one.
    pub tokenizer_config: Option<Vec<u8>>,
    /// `chat_template.jinja`, if there is one.
    pub chat_template: Option<Vec<u8>>,
}

impl ManifestFile {
    /// What a manifest says of a file with these bytes. `hash` is SHA-256.
    pub fn of(name: &str, bytes: &[u8], hash: impl Fn(&[u8]) -> Hash) -> ManifestFile {
        let (size, sha256) = (bytes.len() as u64, hash(bytes));
        let pieces = match size.div_ceil(PIECE_BYTES) {
            0 => Vec::new(),
            1 => vec![sha256],
            _ => bytes.chunks(PIECE_BYTES as usize).map(hash).collect(),
        };
        ManifestFile { name: name.to_owned(), size, sha256, pieces }
    }
}

impl Manifest {
    /// The largest manifest that is read. That of Llama 3.1 8B has some 100 KB.
    pub const MAX_BYTES: u64 = 16 << 20;

    /// The files that hold the weights, in the order in which [`Span::file`](crate::Span::file) counts them.
    pub fn weights(&self) -> impl Iterator<Item = &ManifestFile> {
        self.files.iter().filter(|file| file.name.ends_with(".safetensors"))
    }

    /// What it says of a file.
    pub fn file(&self, name: &str) -> Option<&ManifestFile> {
        self.files.iter().find(|file| file.name == name)
    }
}

#[cfg(test)]
mod tests;
