//! All that crosses between the page and its worker: one enum each way.
//!
//! Weights never cross, only what a person typed, what the model answered, and how far things are.
//! The worker speaks first, with [`Event::Ready`]: a message sent before its module has loaded is lost.
//! The same types are what the terminal prints, so this crate knows no browser and no terminal.
//!
//! An enum's name stands around its fields, `{"text": {"turn": 1, …}}`, and not among them: to read a name that may come
//! last serde first keeps the fields as values of any type, and that was a ninth of the page's download.
//! Where people read the JSON the name is among the fields nevertheless, and a flat struct reads it.

#![forbid(unsafe_code)]

mod benchmark;
mod conversation;
mod device;
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
pub use device::{DeviceReason, DeviceReport, Kernels};
pub use event::{Event, Failure, FailureKind, FinishReason, LoadProgress, LoadStage, Usage};
pub use load_options::{Device, Kv, LoadOptions, Quantize};
pub use model::{CatalogueEntry, ModelInfo, ModelSource};
pub use request::{GenerateOptions, Message, Request, Role, Trials};
pub use sampling::{LogProb, LogProbs, Sampling, SamplingDefaults};
pub use tool_event::ToolEvent;
pub use tuning::{Excluded, PrefillReport, TuningReport, TuningRow, Verdict};
