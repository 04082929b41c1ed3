//! The words for measuring.

use clap::Args;

use super::{DeviceArgs, KvName, ModelArgs};

#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    #[command(flatten)]
    pub(crate) device: DeviceArgs,
    /// How the GPU stores keys and values.
    #[arg(long, value_enum, default_value_t = KvName::F16)]
    pub(crate) kv: KvName,
    /// Tokens of the prompt.
    #[arg(long, value_name = "N", default_value_t = 128, value_parser = clap::value_parser!(u32).range(1..=1 << 20))]
    pub(crate) prompt_tokens: u32,
    /// Tokens to generate after it.
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u32).range(2..=1 << 20))]
    pub(crate) decode_tokens: u32,
    /// How many times both are measured.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) runs: u32,
    /// Try all kernels on the GPU first, whatever is known of them, and print what came of it; --kernels still decides
    #[arg(long)]
    pub(crate) tune: bool,
    /// Print a list of rows, each as {"name":"…","value":…,"unit":"…"}
    #[arg(long)]
    pub(crate) json: bool,
}
