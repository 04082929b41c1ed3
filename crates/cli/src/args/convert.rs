//! The words for making a folder of pronk's own, and for checking one.

use std::path::PathBuf;

use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::{Args, ValueEnum};
use format::{Config, Quant};

use crate::byte_size::ByteSize;
use crate::location::Location;

#[derive(Debug, Args)]
pub(crate) struct ConvertArgs {
    /// A GGUF file, or a folder of Hugging Face's, MLC's, Meta's or pronk's own: a path, or an http(s) URL.
    #[arg(value_name = "SOURCE", value_parser = OsStringValueParser::new().map(Location::from))]
    pub(crate) source: Location,
    #[command(flatten)]
    pub(crate) folder: FolderArgs,
    /// Quantize: 4 bits, 4 bits with a minimum, 6, 8, or halves [default: every tensor keeps its type]
    #[arg(long, value_enum)]
    pub(crate) quant: Option<QuantName>,
}

#[derive(Debug, Args)]
pub(crate) struct SynthesizeArgs {
    /// The model whose sizes it has.
    #[arg(long, value_enum)]
    pub(crate) like: LikeName,
    #[command(flatten)]
    pub(crate) folder: FolderArgs,
    /// Quantize, as pronk convert does: 4 bits, 4 bits with a minimum, 6, 8, or halves.
    #[arg(long, value_enum, default_value_t = QuantName::Q4)]
    pub(crate) quant: QuantName,
    /// Write a folder of Hugging Face's instead, in bfloat16 and not quantized, as models are before they are converted.
    #[arg(long, conflicts_with_all = ["quant", "shard_size"])]
    pub(crate) hub: bool,
    /// What the weights follow from: the same number makes the same folder, to the byte.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
}

/// A folder that is written.
#[derive(Debug, Args)]
pub(crate) struct FolderArgs {
    /// The folder to write: a new or empty one, or one that pronk has begun or made.
    #[arg(value_name = "OUT")]
    pub(crate) out: PathBuf,
    /// The most bytes of a file of weights, as in 16MiB or 20MB.
    #[arg(long, value_name = "SIZE", default_value = "16MiB")]
    pub(crate) shard_size: ByteSize,
    /// Print what was done as JSON, every tensor included.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// A folder that pronk convert made.
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
    /// Print {"files":…,"bytes":…,"manifest":"…"}, the last the manifest's own SHA-256.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum QuantName {
    Q4,
    #[value(name = "q4m")]
    Q4M,
    Q6,
    Q8,
    F16,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum LikeName {
    #[value(name = "llama-3.1-8b")]
    Llama31_8B,
    #[value(name = "llama-3.2-1b")]
    Llama32_1B,
    #[value(name = "llama-3.2-3b")]
    Llama32_3B,
}

impl LikeName {
    /// What people call its size, and its dimensions.
    pub(crate) fn model(self) -> (&'static str, Config) {
        match self {
            LikeName::Llama31_8B => ("8B", Config::LLAMA_3_1_8B),
            LikeName::Llama32_1B => ("1B", Config::LLAMA_3_2_1B),
            LikeName::Llama32_3B => ("3B", Config::LLAMA_3_2_3B),
        }
    }
}

impl QuantName {
    pub(crate) fn quant(self) -> Quant {
        match self {
            QuantName::Q4 => Quant::Q4,
            QuantName::Q4M => Quant::Q4M,
            QuantName::Q6 => Quant::Q6,
            QuantName::Q8 => Quant::Q8,
            QuantName::F16 => Quant::F16,
        }
    }
}
