//! Where a model is computed: what was asked for, or what is faster.
//!
//! A GPU is faster than any CPU. Where the CPU itself stands for one, in SwiftShader or lavapipe, its own vector
//! instructions are several times as fast: `docs/performance.md` has the figures.

use format::Checkpoint;
use gpu::{Gpu, GpuError, TierChoice};
use protocol::DeviceReason;

use crate::EngineError;

/// Where to compute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Device {
    /// On the GPU, with these kernels.
    Gpu(TierChoice),
    /// On the CPU, by its vector instructions.
    Cpu,
    /// On the GPU, unless the CPU is faster: where there is none, or where it is the CPU that stands for it.
    Fastest,
    /// On the CPU, slowly, in code to be read.
    Reference,
}

/// What there is to choose from, once the platform has been asked for a GPU.
pub(crate) enum Offer {
    Settled(Choice),
    /// The GPU, or why there is none.
    Fastest(Result<Box<Gpu>, GpuError>),
}

/// What a model is put on.
pub(crate) enum Choice {
    Gpu(Box<Gpu>),
    Cpu,
    Reference,
}

impl Offer {
    /// Asks the platform.
    pub(crate) async fn ask(device: Device) -> Result<Offer, EngineError> {
        Ok(match device {
            Device::Gpu(tier) => Offer::Settled(Choice::Gpu(Box::new(Gpu::request(tier).await?))),
            Device::Cpu => Offer::Settled(Choice::Cpu),
            Device::Reference => Offer::Settled(Choice::Reference),
            Device::Fastest => Offer::Fastest(Gpu::request(TierChoice::Auto).await.map(Box::new)),
        })
    }

    /// Chooses for a model, and says why.
    pub(crate) fn choose(self, checkpoint: &Checkpoint) -> (Choice, DeviceReason) {
        let fits = cpu::simd::Weights::fit(checkpoint);
        match self {
            Offer::Settled(choice) => (choice, DeviceReason::Asked),
            Offer::Fastest(Ok(gpu)) if !gpu.report().software => (Choice::Gpu(gpu), DeviceReason::Gpu),
            // A slow answer is better than none.
            Offer::Fastest(Ok(gpu)) if !fits => (Choice::Gpu(gpu), DeviceReason::TooLargeForCpu),
            Offer::Fastest(Ok(gpu)) => {
                let adapter = gpu.report().adapter.clone();
                (Choice::Cpu, DeviceReason::SoftwareGpu { adapter })
            }
            Offer::Fastest(Err(error)) => (Choice::Cpu, DeviceReason::NoGpu { found: error.to_string() }),
        }
    }
}
