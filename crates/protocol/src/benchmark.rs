//! What measuring a loaded model on a device gives: for people to look at, and to send to us.

use serde::{Deserialize, Serialize};

use crate::{DeviceReport, ModelInfo, TuningReport};

/// How far a benchmark is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BenchmarkProgress {
    /// What is being done.
    pub stage: BenchmarkStage,
    /// Stages before this one.
    pub done: u32,
    /// Stages in all.
    pub total: u32,
}

/// The stages of a benchmark, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BenchmarkStage {
    /// Kernels are tried, if that was asked for.
    Kernels,
    /// The model's output is compared with what it should be.
    Accuracy,
    /// The device reads memory.
    Bandwidth,
    /// The model reads a prompt and decodes after it.
    Speed {
        /// Tokens of the prompt.
        prompt_tokens: u32,
    },
}

/// All that a benchmark has found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BenchmarkReport {
    /// Pronk's version.
    pub version: String,
    /// The browser as it names itself; `None` outside one.
    pub browser: Option<String>,
    /// The model.
    pub model: ModelInfo,
    /// The device it runs on.
    pub device: DeviceReport,
    /// The GPU; `None` where the CPU computes.
    pub adapter: Option<AdapterReport>,
    /// Whether the model computes right.
    pub accuracy: AccuracyReport,
    /// What came of trying kernels; `None` where that was not done, now or in an earlier visit.
    #[serde(default)]
    pub tuning: Option<TuningReport>,
    /// Bytes a second that the GPU reads; `None` where the CPU computes, or where there was no room to measure it.
    pub read_bytes_per_second: Option<f64>,
    /// Bytes of weights that a decoded token reads on the GPU.
    pub weight_bytes_per_token: Option<u64>,
    /// Speeds after prompts of several lengths, the shortest first.
    pub speeds: Vec<SpeedReport>,
    /// Lengths that were not measured.
    pub left_out: Vec<LeftOut>,
    /// Seconds that all of it took.
    pub seconds: f64,
}

/// What a GPU says of itself, of what bears on speed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdapterReport {
    /// Its name; browsers seldom give it.
    pub name: String,
    /// Vendor and architecture, as far as a browser gives them.
    pub vendor: Option<String>,
    /// WebGPU's names of features beyond its core.
    pub features: Vec<String>,
    /// Fewest and most lanes of a subgroup, where subgroups are used.
    pub subgroup_sizes: Option<[u32; 2]>,
    /// Bytes that one binding can cover.
    pub binding_bytes: u64,
}

/// How fast the model is after a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SpeedReport {
    /// Tokens of the prompt.
    pub prompt_tokens: u32,
    /// Prompt tokens a second: the best run's.
    pub prefill_tokens_per_second: f64,
    /// Generated tokens a second after the first: the best run's.
    pub decode_tokens_per_second: f64,
    /// Bytes that a decoded token reads on the GPU: weights, keys and values.
    pub bytes_per_token: Option<u64>,
    /// What decoding reads a second, as a part of what the GPU can.
    pub bandwidth_fraction: Option<f64>,
}

/// A length that was not measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Tokens of the prompt.
    pub prompt_tokens: u32,
    /// Why.
    pub reason: LeftOutReason,
}

/// Why a length was not measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeftOutReason {
    /// The context does not hold it.
    Context,
    /// It would have taken longer than a person waits.
    Time,
}

/// How far the model's output is from what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct AccuracyReport {
    /// What it was compared with.
    pub against: AccuracyReference,
    /// Tokens that the compared logits follow.
    pub prompt_tokens: u32,
    /// Logits that were compared.
    pub logits: u32,
    /// The largest error of a logit, in standard deviations of the logits; `None` if something was not a number.
    pub error: Option<f64>,
    /// What the probabilities that follow from the logits diverge, in nats; `None` if something was not a number.
    pub divergence: Option<f64>,
    /// Which of the two counts.
    pub judged_by: AccuracyMeasure,
    /// How large it may be.
    pub bound: f64,
    /// Greedy ids after the prompt; only against what is stored.
    pub greedy: Option<GreedyReport>,
    /// Whether all of it is as it should be.
    pub passed: bool,
}

/// What logits are compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccuracyReference {
    /// Logits and ids that another implementation computed for this model.
    Stored,
    /// Nothing is stored for this model: what it gives token by token, with what it gives for all tokens at once.
    Itself,
}

/// What an output is judged by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccuracyMeasure {
    /// [`AccuracyReport::error`].
    Error,
    /// [`AccuracyReport::divergence`].
    Divergence,
}

/// Greedy ids, compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GreedyReport {
    /// Ids that have to agree: up to the first choice that is closer than twice the error.
    pub expected: u32,
    /// How many of them agree before the first that does not.
    pub agreed: u32,
}
