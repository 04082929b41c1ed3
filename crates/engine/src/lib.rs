//! The only loop: load, generate, stop.
//!
//! ```text
//! Files -> store::Pieces -> headers -> Checkpoint -> tokenizer, template
//!                         -> pieces -> weights on the device            => Engine
//! a made-up layer -> each kind of kernels, compared and timed -> the one to use, meanwhile
//! messages -> template -> ids -> prefill (what is new) -> decode, two steps ahead -> text, calls of tools
//! ```
//!
//! The same engine runs in the worker and in the terminal. It knows neither: bytes come through `store`'s traits,
//! events go to a closure, and a [`StopFlag`] is looked at between two tokens.

mod backend;
mod benchmark;
mod bytes;
mod device;
mod error;
mod far_layers;
mod folder;
mod gate;
mod generate;
mod guess;
mod kept;
mod load;
mod lookup;
mod memory;
mod on_cpu;
mod open;
mod options;
mod pace;
mod progress;
mod prompt;
mod quantize;
mod sampling;
mod speculation;
mod stop;
mod text;
mod tune;

pub use backend::Backend;
pub use cpu::simd::Deputy;
pub use device::Device;
pub use error::EngineError;
pub use far_layers::{Line, LineAnswer};
pub use generate::{Answer, GenerateEvent};
pub use gpu::Pause;
pub use kept::{forget, is_kept};
pub use load::Origin;
pub use memory::Memory;
pub use on_cpu::OnCpu;
pub use open::{Container, Header, read_header};
pub use options::{DEFAULT_CONTEXT, LoadOptions, kv_type};
pub use quantize::Quantize;
pub use speculation::Speculate;
pub use stop::{Breath, StopFlag};
pub use text::{template, tokenizer};
pub use tune::{Tune, Tuner};

use benchmark::Stored;
use chat::{Template, Tokenizer};
use llama::Outline;
use protocol::{DeviceReport, Failure, ModelInfo, TuningReport};

use speculation::Speculation;

/// A loaded model that answers.
#[derive(Debug)]
pub struct Engine {
    info: ModelInfo,
    device: DeviceReport,
    not_stored: Option<Failure>,
    tokenizer: Tokenizer,
    /// None if the model came without a tokenizer: it takes ids and gives ids.
    template: Option<Template>,
    vocab_size: usize,
    backend: Backend,
    /// The ids whose keys and values are in the cache, in order.
    cached: Vec<u32>,
    /// Tokens of the next step of a prefill, by how long the last one took.
    prefill_chunk: Option<usize>,
    /// What was asked for with [`Engine::keep_in_flight`].
    steps_in_flight: Option<usize>,
    /// How guessing tokens ahead has fared in this conversation.
    speculation: Speculation,
    /// A smaller model that guesses.
    draft: Option<Box<Engine>>,
    /// What is known of the model, to be compared with.
    stored: Option<&'static Stored>,
    /// What its kernels are chosen by.
    outline: Outline,
    /// What came of trying them, now or in an earlier visit.
    tuning: Option<TuningReport>,
}

impl Engine {
    /// The model.
    pub fn info(&self) -> &ModelInfo {
        &self.info
    }

    /// The device it runs on.
    pub fn device(&self) -> &DeviceReport {
        &self.device
    }

    /// Why its bytes were not kept on this machine, if they should have been and were not. The model works all the same.
    pub fn not_stored(&self) -> Option<&Failure> {
        self.not_stored.as_ref()
    }

    /// Text to ids and back.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// Has a browser nudged whenever a pause is over while something is on its way back from a GPU, for browsers that look
    /// for it only now and then by themselves.
    pub fn nudge_after(&mut self, pause: Pause) {
        if let Backend::Gpu(model) = &mut self.backend {
            model.nudge_after(pause);
        }
    }

    /// Has the later half of the layers computed elsewhere, if it is the CPU that computes and nobody does so yet. Nothing
    /// that was read is forgotten, and the same comes of it; prompts are read faster.
    ///
    /// # Errors
    /// If whoever should compute them goes away: the layers are lost then, and the model has to be loaded again.
    pub async fn share(&mut self, line: Box<dyn Line>) -> Result<(), EngineError> {
        match &mut self.backend {
            Backend::Cpu(cpu) => cpu.share(line).await,
            Backend::Gpu(_) => Ok(()),
        }
    }

    /// What computes.
    pub fn backend(&self) -> &Backend {
        &self.backend
    }
}
