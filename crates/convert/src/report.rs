//! What a conversion has done, for people and for scripts.

use format::{Checkpoint, Manifest};

use crate::Options;
use crate::beside::is_licence_file;
use crate::lay_out::Lost;
use crate::plan::Plan;

/// What a conversion has done.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// Bytes of the folder, without its manifest.
    pub bytes: u64,
    /// Files of the folder, without its manifest.
    pub files: usize,
    /// Weights of all tensors.
    pub weights: u64,
    /// Bytes of their words and scales.
    pub weight_bytes: u64,
    /// Files of weights.
    pub shards: usize,
    /// How many of them an earlier run had left whole.
    pub kept_shards: usize,
    /// Every tensor, in the order of the folder.
    pub tensors: Vec<TensorReport>,
    /// What works, yet should be looked at: a sentence each.
    pub warnings: Vec<String>,
}

/// What a tensor has become.
#[derive(Debug, Clone, PartialEq)]
pub struct TensorReport {
    /// Its name in the folder.
    pub name: String,
    /// The source's type.
    pub from: &'static str,
    /// The folder's type.
    pub to: &'static str,
    /// The root of the squared error of what was quantized in this run, relative to the weights'; none if nothing was.
    pub loss: Option<f64>,
}

impl Report {
    pub(crate) fn new(
        checkpoint: &Checkpoint,
        plan: &Plan,
        manifest: &Manifest,
        lost: &[Lost],
        kept_shards: usize,
        options: &Options,
    ) -> Report {
        let tensors = plan.targets.iter().zip(lost).map(|(target, lost)| TensorReport {
            name: target.name.clone(),
            from: target.info.dtype.name(),
            to: target.dtype.name(),
            loss: (lost.squared > 0.0).then(|| (lost.squared_error / lost.squared).sqrt()),
        });
        let mut warnings = checkpoint.warnings.clone();
        if checkpoint.built_with_llama() && !options.licences.iter().any(|(name, _)| is_licence_file(name)) {
            warnings.push(
            "No licence file lies beside this Llama model. Whoever publishes it must give a copy of Meta's licence \
             with it: put the file into the source's folder and convert again."
                .to_owned(),
        );
        }
        Report {
            bytes: manifest.files.iter().map(|file| file.size).sum(),
            files: manifest.files.len(),
            weights: plan.targets.iter().map(|target| target.info.weights()).sum(),
            weight_bytes: plan.targets.iter().flat_map(|target| target.bytes(target.info.rows)).sum(),
            shards: plan.shards,
            kept_shards,
            tensors: tensors.collect(),
            warnings,
        }
    }
}
