//! Where a model is computed: what was asked for, or what is faster.
//!
//! A GPU is faster than any CPU. Where the CPU itself stands for one, in SwiftShader or lavapipe, its own vector
//! instructions are several times as fast: `docs/performance.md` has the figures.

use cpu::CpuError;
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
        self.choose_beside(cpu::simd::Weights::check(checkpoint))
    }

    /// The same, by whether the CPU can hold the weights.
    fn choose_beside(self, on_cpu: Result<(), CpuError>) -> (Choice, DeviceReason) {
        match self {
            Offer::Settled(choice) => (choice, DeviceReason::Asked),
            Offer::Fastest(Ok(gpu)) if !gpu.report().software => (Choice::Gpu(gpu), DeviceReason::Gpu),
            // A slow answer is better than none.
            Offer::Fastest(Ok(gpu)) if on_cpu.is_err() => (Choice::Gpu(gpu), DeviceReason::TooLargeForCpu),
            Offer::Fastest(Ok(gpu)) => {
                let adapter = gpu.report().adapter.clone();
                (Choice::Cpu, DeviceReason::SoftwareGpu { adapter })
            }
            Offer::Fastest(Err(error)) => (Choice::Cpu, DeviceReason::NoGpu { found: error.to_string() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use pollster::block_on;

    use super::*;

    const GPU: &str = "GPU";
    const CPU: &str = "CPU";
    const REFERENCE: &str = "reference";

    fn software() -> Box<Gpu> {
        Box::new(block_on(Gpu::request(TierChoice::Auto)).unwrap())
    }

    fn hardware() -> Box<Gpu> {
        Box::new(block_on(Gpu::request(TierChoice::Plain)).unwrap().as_hardware())
    }

    #[test]
    fn what_is_faster_is_taken_and_the_reason_told() {
        let fits = || Ok(());
        let too_large = || Err(CpuError::TooLarge { needed: 9, most: 8 });
        let none = || GpuError::NoAdapter { found: "none".to_owned() };
        let adapter = software().report().adapter.clone();
        let no_gpu = DeviceReason::NoGpu { found: none().to_string() };
        for (offer, on_cpu, expected, why) in [
            (Offer::Settled(Choice::Gpu(software())), fits(), GPU, DeviceReason::Asked),
            (Offer::Settled(Choice::Cpu), too_large(), CPU, DeviceReason::Asked),
            (Offer::Settled(Choice::Reference), fits(), REFERENCE, DeviceReason::Asked),
            (Offer::Fastest(Ok(hardware())), fits(), GPU, DeviceReason::Gpu),
            (Offer::Fastest(Ok(hardware())), too_large(), GPU, DeviceReason::Gpu),
            (Offer::Fastest(Ok(software())), fits(), CPU, DeviceReason::SoftwareGpu { adapter }),
            (Offer::Fastest(Ok(software())), too_large(), GPU, DeviceReason::TooLargeForCpu),
            (Offer::Fastest(Err(none())), fits(), CPU, no_gpu.clone()),
            // Whoever loads it then says that it is too large.
            (Offer::Fastest(Err(none())), too_large(), CPU, no_gpu),
        ] {
            let (choice, reason) = offer.choose_beside(on_cpu);
            let found = match choice {
                Choice::Gpu(_) => GPU,
                Choice::Cpu => CPU,
                Choice::Reference => REFERENCE,
            };
            assert_eq!((found, reason), (expected, why));
        }
    }
}
