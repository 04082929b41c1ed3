//! Llama 3's vocabulary, for tests: Llama Material, so it is fetched from where Meta gives it away, and never served.

use std::path::PathBuf;

use anyhow::Result;

use crate::places::Places;
use crate::pypi::PypiFile;

const VOCABULARY: PypiFile = PypiFile {
    name: "Llama 3's tokenizer.model, for tests",
    package: "llama-models==0.3.0",
    member: "llama_models/llama3/tokenizer.model",
    file_name: "llama-3-tokenizer.model",
    sha_256: "82e9d31979e92ab929cd544440f129d9ecd797b69e327f80f17e1c50d5551b55",
    download: "about 7 MB",
};

/// The file.
pub(crate) fn file(places: &Places) -> Result<PathBuf> {
    VOCABULARY.get(places, &places.cache.join("test-files"))
}
