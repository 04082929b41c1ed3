//! How many bytes a second a GPU reads: by the clock, since few browsers let a page see the GPU's own.

use gpu::{Gpu, GpuError};
use llama::{LlamaError, Sweep};
use web_time::Instant;

use crate::EngineError;

/// More than the caches of most GPUs hold.
const BYTES: u64 = 256 << 20;

/// Enough where the CPU stands for a GPU: it reads slower, and shares its caches with all else.
const SOFTWARE_BYTES: u64 = 32 << 20;

/// A run takes so long that the way to the GPU and back does not count.
const SECONDS: f64 = 0.2;

/// Most readings in a run: a submit that takes long makes drivers lose patience.
const MOST_TIMES: usize = 1024;

const RUNS: usize = 3;

/// The best of some runs; `None` where there is no room for a buffer.
pub(super) async fn read_bytes_per_second(gpu: &Gpu) -> Result<Option<f64>, EngineError> {
    let most = if gpu.report().software { SOFTWARE_BYTES } else { BYTES };
    let sweep = match Sweep::new(gpu, most.min(gpu.limits().binding_bytes)).await {
        Err(LlamaError::Gpu(GpuError::OutOfMemory { .. })) => return Ok(None),
        sweep => sweep?,
    };
    let best = best_of_runs(gpu, &sweep).await;
    sweep.destroy();
    Ok(Some(best?))
}

async fn best_of_runs(gpu: &Gpu, sweep: &Sweep) -> Result<f64, LlamaError> {
    // The first reading waits for the buffer to be filled, and wakes the GPU.
    sweep.run(gpu, 1).await?;
    let mut times = 1;
    while times < MOST_TIMES && seconds(gpu, sweep, times).await? < SECONDS {
        times *= 2;
    }
    let mut best = 0f64;
    for _ in 0..RUNS {
        let bytes = (sweep.bytes() * times as u64) as f64;
        best = best.max(bytes / seconds(gpu, sweep, times).await?);
    }
    Ok(best)
}

async fn seconds(gpu: &Gpu, sweep: &Sweep, times: usize) -> Result<f64, LlamaError> {
    let started = Instant::now();
    sweep.run(gpu, times).await?;
    // Clocks of browsers may stand still for a moment.
    Ok(started.elapsed().as_secs_f64().max(1e-6))
}
