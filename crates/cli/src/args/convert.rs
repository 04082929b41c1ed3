//! The words for making a folder of pronk's own, and for checking one.

use std::path::PathBuf;

use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::{Args, ValueEnum};
use format::Quant;

use crate::byte_size::ByteSize;
use crate::location::Location;

#[derive(Debug, Args)]
pub(crate) struct ConvertArgs {
    /// A GGUF file, or a folder of Hugging Face's, MLC's, Meta's or pronk's own: a path, or an http(s) URL.
    #[arg(value_name = "SOURCE", value_parser = OsStringValueParser::new().map(Location::from))]
    pub(crate) source: Location,
    /// The folder to write: a new or empty one, or one that pronk convert has begun or made.
    #[arg(value_name = "OUT")]
    pub(crate) out: PathBuf,
    /// Quantize: 4 bits, 4 bits with a minimum, 6, 8, or halves [default: every tensor keeps its type]
    #[arg(long, value_enum)]
    pub(crate) quant: Option<QuantName>,
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
