//! What can be chosen before a model is loaded.

use serde::{Deserialize, Serialize};

/// How a model is loaded. What is left out is chosen by the engine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LoadOptions {
    /// Where it is computed.
    pub device: Device,
    /// Tokens of context, prompt and answer together; `None` for 4,096, or fewer if the model has fewer.
    pub context: Option<u32>,
    /// How keys and values are stored.
    pub kv: Kv,
    /// Whether weights are quantized on their way to the device.
    pub quantize: Quantize,
}

/// Where a model is computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Device {
    /// Whatever is faster here.
    #[default]
    Automatic,
    /// On the GPU, or on what stands for one.
    Gpu,
    /// On the CPU, with what helps of its cores.
    Cpu,
    /// On one core of the CPU, which leaves the others alone and reads prompts more slowly.
    OneCore,
}

/// How keys and values are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kv {
    /// Halves: half the memory and half the reading.
    #[default]
    F16,
    /// Bytes with scales: a little more than half of what halves take.
    I8,
    /// Floats, for exact comparisons.
    F32,
}

/// What becomes of weights on their way to the device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Quantize {
    /// A large model in floats becomes a smaller one; others stay as their files have them.
    #[default]
    Automatic,
    /// They stay as their files have them.
    Never,
    /// 4 bits.
    Q4,
    /// 4 bits with a minimum.
    Q4M,
    /// 6 bits.
    Q6,
    /// 8 bits.
    Q8,
    /// Halves.
    F16,
}

impl Kv {
    /// All of them, the one that takes least memory first.
    pub const ALL: [Kv; 3] = [Kv::I8, Kv::F16, Kv::F32];

    /// Its name in the protocol and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Kv::F16 => "f16",
            Kv::I8 => "i8",
            Kv::F32 => "f32",
        }
    }
}
