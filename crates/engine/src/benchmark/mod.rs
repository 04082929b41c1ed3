//! Measuring a loaded model on its device: whether it computes right, how fast the device reads memory, and how fast the
//! model reads and decodes.
//!
//! ```text
//! fraction of the limit = decoded tokens a second * bytes that a token reads / bytes a second that the GPU reads
//! ```
//!
//! Whether it is right comes first: that matters most, and has the kernels compiled before their speed is measured.

mod accuracy;
mod bandwidth;
mod speed;
mod stored;

use gpu::{Gpu, Tier};
use protocol::{AdapterReport, BenchmarkProgress, BenchmarkReport, BenchmarkStage};
use web_time::Instant;

use crate::backend::Backend;
use crate::{Engine, EngineError, StopFlag};
use speed::{Ceiling, Patience};
pub(crate) use stored::Stored;

/// Longer than this a person should not have to wait: what would take longer is left out.
const PATIENCE_SECONDS: f64 = 60.0;

impl Engine {
    /// Measures the model on its device, in about a minute at most. `None` if it was stopped, which is looked for between two
    /// steps. What was in the KV cache is forgotten.
    pub async fn benchmark(
        &mut self,
        stop: &StopFlag,
        on_progress: &mut dyn FnMut(BenchmarkProgress),
    ) -> Result<Option<BenchmarkReport>, EngineError> {
        match self.measured(stop, on_progress).await {
            Ok(report) => Ok(Some(report)),
            Err(Halt::Stopped) => Ok(None),
            Err(Halt::Failed(error)) => Err(error),
        }
    }

    async fn measured(
        &mut self,
        stop: &StopFlag,
        on_progress: &mut dyn FnMut(BenchmarkProgress),
    ) -> Result<BenchmarkReport, Halt> {
        let patience = Patience { started: Instant::now(), seconds: PATIENCE_SECONDS };
        let mut stages = Stages::new(self, stop, on_progress);
        stages.begin(BenchmarkStage::Accuracy).await?;
        let accuracy = accuracy::check(self, stop).await?;
        let ceiling = self.ceiling(&mut stages).await?;
        let (measured, left_out) = speed::measure(self, &patience, &mut stages).await?;
        Ok(BenchmarkReport {
            version: env!("CARGO_PKG_VERSION").to_string(),
            browser: None,
            model: self.info.clone(),
            device: self.device.clone(),
            adapter: self.gpu().map(adapter_report),
            accuracy,
            tuning: self.tuning.clone(),
            read_bytes_per_second: ceiling.read_bytes_per_second,
            weight_bytes_per_token: ceiling.weight_bytes,
            speeds: measured.into_iter().map(|(tokens, rates)| ceiling.report(tokens, rates)).collect(),
            left_out,
            seconds: patience.spent(),
        })
    }

    /// What decoding is held to; on the CPU nothing is known of that.
    async fn ceiling(&self, stages: &mut Stages<'_>) -> Result<Ceiling, Halt> {
        let kv_bytes = self.info.kv_bytes_per_token;
        let Backend::Gpu(model) = &self.backend else {
            return Ok(Ceiling { weight_bytes: None, kv_bytes, read_bytes_per_second: None });
        };
        stages.begin(BenchmarkStage::Bandwidth).await?;
        let read_bytes_per_second = bandwidth::read_bytes_per_second(model.gpu()).await?;
        Ok(Ceiling { weight_bytes: Some(model.bytes_per_token()), kv_bytes, read_bytes_per_second })
    }

    /// Ids in a row, from 0 to the last and from the start again: which they are makes no difference to the speed.
    pub fn any_prompt(&self, tokens: usize) -> Vec<u32> {
        (0..self.vocab_size as u32).cycle().take(tokens).collect()
    }

    fn gpu(&self) -> Option<&Gpu> {
        match &self.backend {
            Backend::Gpu(model) => Some(model.gpu()),
            Backend::Cpu(_) => None,
        }
    }
}

fn adapter_report(gpu: &Gpu) -> AdapterReport {
    let report = gpu.report();
    AdapterReport {
        name: report.adapter.clone(),
        vendor: None,
        features: report.features.iter().map(ToString::to_string).collect(),
        subgroup_sizes: match gpu.tier() {
            Tier::Subgroups { min_size, max_size } => Some([min_size, max_size]),
            Tier::Plain | Tier::Int8 => None,
        },
        binding_bytes: gpu.limits().binding_bytes,
    }
}

/// Why a benchmark ends before it is done.
enum Halt {
    Stopped,
    Failed(EngineError),
}

impl From<EngineError> for Halt {
    fn from(error: EngineError) -> Halt {
        Halt::Failed(error)
    }
}

/// Says how far the benchmark is, and hears whether it is to stop.
struct Stages<'a> {
    stop: &'a StopFlag,
    on_progress: &'a mut dyn FnMut(BenchmarkProgress),
    done: u32,
    total: u32,
}

impl<'a> Stages<'a> {
    fn new(
        engine: &Engine,
        stop: &'a StopFlag,
        on_progress: &'a mut dyn FnMut(BenchmarkProgress),
    ) -> Stages<'a> {
        let before_speeds = match &engine.backend {
            Backend::Gpu(_) => 2,
            Backend::Cpu(_) => 1,
        };
        let total = before_speeds + speed::prompts_that_fit(engine.backend.context()) as u32;
        Stages { stop, on_progress, done: 0, total }
    }

    async fn begin(&mut self, stage: BenchmarkStage) -> Result<(), Halt> {
        (self.on_progress)(BenchmarkProgress { stage, done: self.done, total: self.total });
        self.done += 1;
        self.stop.breathe().await;
        if self.stop.is_set() { Err(Halt::Stopped) } else { Ok(()) }
    }
}
