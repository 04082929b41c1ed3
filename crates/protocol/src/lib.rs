//! All that crosses between the page and its worker: one enum each way.
//!
//! Weights never cross, only what a person typed, what the model answered, and how far things are.
//! The worker speaks first, with [`Event::Ready`]: a message sent before its module has loaded is lost.
//! The same types are what the terminal prints, so this crate knows no browser and no terminal.

#![forbid(unsafe_code)]

mod benchmark;
mod conversation;
mod event;
mod load_options;
mod model;
mod request;
mod sampling;
mod tool_event;
mod tuning;

pub use benchmark::{
    AccuracyMeasure, AccuracyReference, AccuracyReport, AdapterReport, BenchmarkProgress, BenchmarkReport,
    BenchmarkStage, GreedyReport, LeftOut, LeftOutReason, SpeedReport,
};
pub use conversation::{ChatMessage, Content, Conversation, Json, ToolCall};
pub use event::{
    DeviceReason, DeviceReport, Event, Failure, FailureKind, FinishReason, Kernels, LoadProgress, LoadStage,
    Usage,
};
pub use load_options::{Device, Kv, LoadOptions, Quantize};
pub use model::{CatalogueEntry, ModelInfo, ModelSource};
pub use request::{GenerateOptions, Message, Request, Role, Trials};
pub use sampling::{LogProb, LogProbs, Sampling, SamplingDefaults};
pub use tool_event::ToolEvent;
pub use tuning::{Excluded, TuningReport, TuningRow, Verdict};
