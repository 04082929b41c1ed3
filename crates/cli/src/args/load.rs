//! The words for how a model is loaded.

use clap::{Args, ValueEnum};
use engine::{Device, LoadOptions, Quantize};
use gpu::TierChoice;
use llama::KvType;

use super::convert::QuantName;

#[derive(Debug, Args)]
pub(crate) struct DeviceArgs {
    /// Where to compute: on whatever is faster, on the GPU, on the CPU, or by the slow and readable reference.
    #[arg(long, value_enum, default_value_t = DeviceName::Auto)]
    device: DeviceName,
    /// Kernels on the GPU: with subgroup operations, without, of bytes, or the best for the device.
    #[arg(long, value_enum, default_value_t = KernelsName::Auto)]
    kernels: KernelsName,
    #[command(flatten)]
    quant: QuantArgs,
}

#[derive(Debug, Args)]
pub(crate) struct QuantArgs {
    /// Quantize weights on their way to the device, as pronk convert would [default: they stay as they are stored]
    #[arg(long, value_enum)]
    quant: Option<QuantName>,
}

#[derive(Debug, Args)]
pub(crate) struct ContextArgs {
    /// Tokens of context, prompt and answer together [default: 4096, or fewer if the model has fewer]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    context: Option<u32>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum DeviceName {
    Auto,
    Gpu,
    Cpu,
    Reference,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum KernelsName {
    Auto,
    Subgroups,
    Plain,
    Int8,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum KvName {
    F16,
    I8,
    F32,
}

impl DeviceArgs {
    /// The device. Kernels that were asked for by name are the GPU's; the CPU has none to choose from.
    fn device(&self) -> Device {
        match (self.device, self.kernels) {
            (DeviceName::Reference, _) => Device::Reference,
            (DeviceName::Cpu, _) => Device::Cpu,
            (DeviceName::Auto, KernelsName::Auto) => Device::Fastest,
            (DeviceName::Gpu, KernelsName::Auto) => Device::Gpu(TierChoice::Auto),
            (_, KernelsName::Subgroups) => Device::Gpu(TierChoice::Subgroups),
            (_, KernelsName::Plain) => Device::Gpu(TierChoice::Plain),
            (_, KernelsName::Int8) => Device::Gpu(TierChoice::Int8),
        }
    }

    /// How a model is to be loaded.
    pub(crate) fn load_options(&self, context: Option<usize>, kv: KvName) -> LoadOptions {
        LoadOptions { device: self.device(), context, kv: kv.kv(), quantize: self.quant.quantize() }
    }
}

impl QuantArgs {
    /// What becomes of weights.
    pub(crate) fn quantize(&self) -> Quantize {
        self.quant.map_or(Quantize::Never, |quant| Quantize::To(quant.quant()))
    }

    /// Its name, if they become anything.
    pub(crate) fn name(&self) -> Option<String> {
        self.quant.map(|quant| quant.quant().to_string())
    }
}

impl ContextArgs {
    /// The context, if one was asked for.
    pub(crate) fn context(&self) -> Option<usize> {
        self.context.map(|context| context as usize)
    }
}

impl KvName {
    /// The cache's type. The CPU always keeps floats.
    fn kv(self) -> KvType {
        match self {
            KvName::F16 => KvType::F16,
            KvName::I8 => KvType::I8,
            KvName::F32 => KvType::F32,
        }
    }
}
