//! What the worker tells the page.

use serde::{Deserialize, Serialize};

use crate::{BenchmarkProgress, BenchmarkReport, CatalogueEntry, Excluded, LogProbs, ModelInfo, ToolEvent};

/// Something that happened. Each is sent once, in order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum Event {
    /// The worker's module has loaded; requests are heard from now on.
    Ready {
        /// What the site's `models.json` offers.
        catalogue: Vec<CatalogueEntry>,
    },
    /// A load has come further. At most about ten a second.
    Loading {
        /// How far.
        progress: LoadProgress,
    },
    /// A model is on the device and ready to answer.
    Loaded {
        /// The model.
        model: Box<ModelInfo>,
        /// The device it runs on.
        device: DeviceReport,
        /// Why its bytes were not kept on this machine, if they should have been and were not.
        not_stored: Option<Failure>,
    },
    /// Part of the prompt has been read.
    Prefill {
        /// The answer this belongs to.
        turn: u32,
        /// Tokens read so far, those kept from the last turn included.
        done: u32,
        /// Tokens of the prompt.
        total: u32,
    },
    /// A further piece of the answer: whole characters, in order.
    Text {
        /// The answer this belongs to.
        turn: u32,
        /// The piece.
        text: String,
        /// Figures up to here, for a live display.
        usage: Usage,
    },
    /// The log-probabilities of a token, if they were asked for; its text follows.
    LogProbs {
        /// The answer this belongs to.
        turn: u32,
        /// What they are.
        logprobs: LogProbs,
    },
    /// The model wants a tool to be run, or has begun to say so. Only if it was given tools.
    Tool {
        /// The answer this belongs to.
        turn: u32,
        /// What it wants: anything but text, which comes as [`Event::Text`].
        event: ToolEvent,
    },
    /// The answer has ended.
    Finished {
        /// The answer this belongs to.
        turn: u32,
        /// Why.
        reason: FinishReason,
        /// Final figures.
        usage: Usage,
    },
    /// The load was stopped on request. What was stored stays stored.
    LoadStopped,
    /// A benchmark has begun its next stage.
    Benchmarking {
        /// How far it is.
        progress: BenchmarkProgress,
    },
    /// A benchmark is done.
    Benchmarked {
        /// What it has found.
        report: Box<BenchmarkReport>,
    },
    /// The benchmark was stopped on request.
    BenchmarkStopped,
    /// A model's stored bytes are gone.
    Forgotten {
        /// The model's address as asked.
        url: String,
    },
    /// Something went wrong; whatever was in progress has ended.
    Failed {
        /// The answer it ended, if it ended one.
        turn: Option<u32>,
        /// What, and what to do.
        failure: Failure,
    },
}

/// How far a load is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LoadProgress {
    /// What is being done.
    pub stage: LoadStage,
    /// Bytes of the model that are done.
    pub done_bytes: u64,
    /// Bytes of the model; 0 until known.
    pub total_bytes: u64,
    /// Bytes that came over the network in this load.
    pub fetched_bytes: u64,
    /// Recent speed, bytes a second; 0 until known.
    pub bytes_per_second: f64,
    /// Seconds left at that speed, once it is known.
    pub seconds_left: Option<f64>,
}

/// The stages of a load, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LoadStage {
    /// Asking the device and the file what they are.
    Opening,
    /// Pieces come over the network, are checked, stored and put on the device.
    Downloading,
    /// Pieces come from this machine and are put on the device.
    Reading,
    /// Kernels are compiled and tried.
    Preparing,
}

/// Which set of kernels runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kernels {
    /// Subgroup operations.
    Subgroups,
    /// Workgroup memory and one barrier.
    Plain,
    /// Dot products of bytes: what the CPU does best where it stands for a GPU.
    Int8,
    /// No GPU: the CPU's vector instructions.
    Simd,
    /// No GPU: the readable reference.
    Reference,
}

/// The device a model runs on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceReport {
    /// The adapter's name as the browser or driver gives it.
    pub adapter: String,
    /// Whether the adapter is software on the CPU, and so slow.
    pub software: bool,
    /// The kernels in use.
    pub kernels: Kernels,
    /// Why it is this one.
    pub reason: DeviceReason,
    /// Bytes of weights and KV cache on the device; on the CPU, where the cache grows, of weights alone.
    pub device_bytes: u64,
    /// Kernels that compute wrongly here, or do not answer, and so are not used.
    #[serde(default)]
    pub excluded: Vec<Excluded>,
}

/// Why a model runs where it does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "why")]
pub enum DeviceReason {
    /// It was asked for.
    Asked,
    /// The GPU is the fastest.
    Gpu,
    /// The GPU is software: the CPU does without it what it would do for it, and faster.
    SoftwareGpu {
        /// Its name.
        adapter: String,
    },
    /// There is no GPU.
    NoGpu {
        /// What the platform said.
        found: String,
    },
    /// The GPU is software, but the model is larger than the CPU can hold without it.
    TooLargeForCpu,
}

/// Why an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FinishReason {
    /// The model ended its turn.
    EndOfTurn,
    /// The model waits for what its tools give.
    ToolCalls,
    /// `max_tokens` was reached.
    MaxTokens,
    /// The context is full.
    ContextFull,
    /// [`Request::Stop`](crate::Request::Stop).
    Stopped,
}

/// Figures of one answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens of the rendered prompt.
    pub prompt_tokens: u32,
    /// Prompt tokens that were still in the KV cache from the last turn.
    pub reused_tokens: u32,
    /// Tokens generated.
    pub completion_tokens: u32,
    /// Of them those that were guessed ahead and found right.
    #[serde(default)]
    pub guessed_tokens: u32,
    /// Positions of the KV cache in use.
    pub context_used: u32,
    /// Prompt tokens a second, those reused left out; 0 when none was computed.
    pub prefill_tokens_per_second: f64,
    /// Generated tokens a second after the first; 0 before the second token.
    pub decode_tokens_per_second: f64,
    /// Seconds from the request to the first token.
    pub seconds_to_first_token: f64,
    /// What the draws followed from; `None` where nothing was drawn. Asked for again, it gives the same answer again.
    #[serde(default)]
    pub seed: Option<u64>,
}

/// What went wrong, ready to be shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// For the page to decide what to offer.
    pub kind: FailureKind,
    /// One or two sentences: what was expected, what was found, what to do.
    pub message: String,
}

/// The kinds of failure that call for different next steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The browser has no WebGPU, or gives no adapter.
    NoWebGpu,
    /// The model's host did not deliver.
    Network,
    /// The browser's storage did not keep or return bytes.
    Storage,
    /// The model file is damaged, hostile, or of a kind we do not run.
    ModelFile,
    /// The model, or the device, cannot do what was chosen for the load.
    LoadOptions,
    /// The device ran out of memory.
    OutOfMemory,
    /// The device is gone; the model must be loaded again.
    DeviceLost,
    /// The conversation cannot be answered as it is: empty, or longer than the context.
    Prompt,
    /// A setting of how tokens are drawn is out of its bounds.
    Sampling,
    /// Nothing has failed, but something is not as it should be.
    Caveat,
    /// A mistake of ours.
    Internal,
}
