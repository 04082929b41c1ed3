//! What a model runs on, and why.

use serde::{Deserialize, Serialize};

use crate::Excluded;

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
    /// Products of halves, for many tokens: no set by itself, but beside one that multiplies floats.
    Halves,
    /// No GPU: the CPU's vector instructions.
    Simd,
    /// No GPU: the readable reference.
    Reference,
}

impl Kernels {
    /// How people name them, after the word itself.
    pub fn words(self) -> &'static str {
        match self {
            Kernels::Plain => "without subgroups",
            Kernels::Subgroups => "with subgroups",
            Kernels::Int8 | Kernels::Halves => self.numbers(),
            Kernels::Simd => "of the processor",
            Kernels::Reference => "of the reference",
        }
    }

    /// What they multiply in, as people say it.
    pub fn numbers(self) -> &'static str {
        match self {
            Kernels::Plain | Kernels::Subgroups | Kernels::Reference => "in floats",
            Kernels::Int8 | Kernels::Simd => "in whole numbers",
            Kernels::Halves => "in halves",
        }
    }
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
#[serde(rename_all = "snake_case", tag = "why", try_from = "FlatReason")]
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

/// A reason as people find it in a benchmark's JSON: `{"why": "no_gpu", "found": "…"}`.
#[derive(Deserialize)]
struct FlatReason {
    why: Why,
    adapter: Option<String>,
    found: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Why {
    Asked,
    Gpu,
    SoftwareGpu,
    NoGpu,
    TooLargeForCpu,
}

impl TryFrom<FlatReason> for DeviceReason {
    type Error = &'static str;

    fn try_from(FlatReason { why, adapter, found }: FlatReason) -> Result<DeviceReason, &'static str> {
        Ok(match why {
            Why::Asked => DeviceReason::Asked,
            Why::Gpu => DeviceReason::Gpu,
            Why::SoftwareGpu => {
                DeviceReason::SoftwareGpu { adapter: adapter.ok_or("no name of an adapter")? }
            }
            Why::NoGpu => DeviceReason::NoGpu { found: found.ok_or("nothing that was found")? },
            Why::TooLargeForCpu => DeviceReason::TooLargeForCpu,
        })
    }
}
