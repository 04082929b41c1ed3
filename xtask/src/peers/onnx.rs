//! transformers.js' models, made of the demo's GGUF. The weights are made by scripts that the project does not have:
//! they come from a folder that is named on the command line. Without it, or where it fails, all else is measured.
//!
//! | weights | made by | runs on |
//! |---|---|---|
//! | `model_f32` | `build_onnx.py` | the CPU |
//! | `model_int8`: quantized matrices, activations quantized as they come | `dynq8.py`, of the first | the CPU |
//! | `model_q4` | `build_onnx.py` | WebGPU |

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::command::{command, run};
use crate::demo;
use crate::places::{Places, empty_folder};
use crate::report::step;

/// What the scripts import. They were written for these.
const PACKAGES: [&str; 4] = ["onnx==1.23.2", "onnxruntime==1.32.0", "gguf==0.19.0", "tokenizers==0.23.2"];

/// Takes the GGUF and a folder.
const TOKENIZER: &str = include_str!("tokenizer.py");

/// The folder that holds the model's, made if it is not there; none if that fails, which is said.
pub(super) fn models(places: &Places, peers: &Path, scripts: &Path) -> Option<PathBuf> {
    let models = peers.join("onnx");
    if models.join("model").is_dir() {
        return Some(models);
    }
    let made = step("Making ONNX models of the demo", || make(places, peers, scripts, &models));
    if let Err(error) = made {
        println!("    transformers.js is left out: {error:#}");
        return None;
    }
    Some(models)
}

fn make(places: &Places, peers: &Path, scripts: &Path, models: &Path) -> Result<()> {
    let scripts =
        scripts.canonicalize().with_context(|| format!("There is no folder {}.", scripts.display()))?;
    let python = Python { packages: packages(peers)?, scripts, gguf: demo::model(places)? };
    let part = models.join("part");
    empty_folder(&part)?;
    let mut tokenizer = python.runs(["-c", TOKENIZER]);
    run(tokenizer.arg(&python.gguf).arg(&part))?;
    // A name, bits of the layers, bits of the head, and an accuracy level; 0 bits are floats.
    run(python.script("build_onnx.py").arg(&part).args(["model_f32:0:0:0", "model_q4:4:4:0"]))?;
    let weights = |name: &str| part.join("onnx").join(name);
    run(python.script("dynq8.py").arg(weights("model_f32.onnx")).arg(weights("model_int8.onnx")))?;
    // Only now, so that a folder of this name is always whole.
    std::fs::rename(&part, models.join("model")).context("The ONNX models could not be put in their place.")
}

/// How the scripts are run.
struct Python {
    packages: PathBuf,
    scripts: PathBuf,
    gguf: PathBuf,
}

impl Python {
    fn script(&self, name: &str) -> Command {
        self.runs([self.scripts.join(name)])
    }

    fn runs<A: AsRef<OsStr>, const N: usize>(&self, arguments: [A; N]) -> Command {
        let mut python = command("python3", arguments);
        let (folder, file) = (self.gguf.parent(), self.gguf.file_name());
        python.env("GGUF_DIR", folder.unwrap_or(Path::new(""))).env("GGUF_FILE", file.unwrap_or_default());
        python.env("PYTHONPATH", &self.packages);
        python
    }
}

/// A folder of Python packages, installed if it is not there.
fn packages(peers: &Path) -> Result<PathBuf> {
    let packages = peers.join("python");
    if !packages.is_dir() {
        let part = peers.join("python.part");
        empty_folder(&part)?;
        let mut install =
            command("python3", ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
        run(install.arg("--target").arg(&part).args(PACKAGES))?;
        std::fs::rename(&part, &packages)?;
    }
    Ok(packages)
}
