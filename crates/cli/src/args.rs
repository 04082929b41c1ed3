//! The command line: what can be asked, and the words for it.

mod bench;
mod conversation;
mod convert;
mod guess;
mod load;
mod sampling;

use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};

pub(crate) use bench::BenchArgs;
pub(crate) use conversation::{Ask, ConversationArgs};
pub(crate) use convert::{ConvertArgs, FolderArgs, SynthesizeArgs, VerifyArgs};
pub(crate) use guess::GuessArgs;
pub(crate) use load::{ContextArgs, DeviceArgs, KvName, QuantArgs};
pub(crate) use sampling::SamplingArgs;

use crate::ids::Ids;
use crate::location::Location;

/// Llama models, run privately on this machine.
#[derive(Debug, Parser)]
#[command(name = "pronk", version, disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Say what a model file holds: dimensions, tensors, tokenizer, licence, memory. Reads only its header.
    Inspect(InspectArgs),
    /// Continue a text, answer a conversation, or continue ids. Without --json the answer streams to stdout.
    Generate(GenerateArgs),
    /// Compute the logits after a list of ids, and the most likely id after each of them.
    Logits(LogitsArgs),
    /// Turn a text into ids.
    Tokenize(TokenizeArgs),
    /// Turn a conversation into the model's prompt, as text and as ids.
    Render(RenderArgs),
    /// Chat in the terminal, or with one message a line on stdin. Ctrl-C stops an answer; a second one ends.
    Chat(ChatArgs),
    /// Measure how well a model foretells a text, and what it has lost against another: a quantized one, say.
    Perplexity(PerplexityArgs),
    /// Turn a model of any kind into a folder that browsers load without further work, quantized if asked.
    Convert(ConvertArgs),
    /// Make up a model of a true size, with random weights: it says nonsense, and shows what size costs.
    Synthesize(SynthesizeArgs),
    /// Hash every file of a converted folder again, and compare with its manifest.
    Verify(VerifyArgs),
    /// Measure speed, time to load, and what each token asks of the GPU.
    Bench(BenchArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ModelArgs {
    /// A GGUF file, or a folder of Hugging Face, MLC or Meta: a path, or an http(s) URL (a folder's ends with /).
    #[arg(value_name = "MODEL", value_parser = OsStringValueParser::new().map(Location::from))]
    pub(crate) location: Location,
    /// Keep nothing of a URL's bytes on disk (else they are kept in the user's cache folder, under pronk/).
    #[arg(long)]
    pub(crate) no_cache: bool,
}

#[derive(Debug, Args)]
pub(crate) struct InspectArgs {
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    #[command(flatten)]
    pub(crate) quant: QuantArgs,
    /// Ask the GPU, too, for the longest context that it can hold.
    #[arg(long)]
    pub(crate) gpu: bool,
    /// Print everything as JSON, every tensor included.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct GenerateArgs {
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    #[command(flatten)]
    pub(crate) ask: Ask,
    #[command(flatten)]
    pub(crate) conversation: ConversationArgs,
    /// Most tokens to generate [default: 1024]
    #[arg(long, value_name = "N")]
    pub(crate) max_tokens: Option<u32>,
    #[command(flatten)]
    pub(crate) sampling: SamplingArgs,
    /// Tell the log-probability of each token, and of the N likeliest in its place, 0 to 20: as lines of JSON on stderr,
    /// or with --json as "logprobs".
    #[arg(long, value_name = "N")]
    pub(crate) logprobs: Option<u32>,
    #[command(flatten)]
    pub(crate) guess: GuessArgs,
    #[command(flatten)]
    pub(crate) device: DeviceArgs,
    #[command(flatten)]
    pub(crate) context: ContextArgs,
    /// How the GPU stores keys and values.
    #[arg(long, value_enum, default_value_t = KvName::F16)]
    pub(crate) kv: KvName,
    /// Print {"ids":[…],"text":"…"}: what was generated, with the id that ended it and without its text. With tools,
    /// "tool_calls" too, as OpenAI's API has them.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct LogitsArgs {
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    #[command(flatten)]
    pub(crate) ids: IdsArgs,
    #[command(flatten)]
    pub(crate) device: DeviceArgs,
    /// How the GPU stores keys and values; f32 by default here, so that the numbers are exact.
    #[arg(long, value_enum, default_value_t = KvName::F32)]
    pub(crate) kv: KvName,
    /// Print {"logits":[…],"argmax_per_position":[…]}: those of the last position, and the choice after each.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Where ids come from: exactly one of these.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct IdsArgs {
    /// The ids, as in 1,2,3
    #[arg(long, value_name = "LIST")]
    pub(crate) ids: Option<Ids>,
    /// A file with a JSON list of ids; - for stdin.
    #[arg(long, value_name = "FILE")]
    pub(crate) ids_file: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct TokenizeArgs {
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    /// The text.
    #[arg(long, allow_hyphen_values = true)]
    pub(crate) text: String,
    /// Let control tokens in the text be control tokens, instead of ordinary text.
    #[arg(long)]
    pub(crate) parse_special: bool,
    /// Print {"ids":[…]}
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RenderArgs {
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    /// A file with a JSON list of messages, each with role and content; - for stdin. Messages may have tool_calls, and
    /// the list may stand in an object with what else the template takes, as for Hugging Face's.
    #[arg(long, value_name = "FILE")]
    pub(crate) messages: String,
    #[command(flatten)]
    pub(crate) conversation: ConversationArgs,
    /// Print {"text":"…","ids":[…]}
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ChatArgs {
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    /// Most tokens of one answer [default: 1024]
    #[arg(long, value_name = "N")]
    pub(crate) max_tokens: Option<u32>,
    #[command(flatten)]
    pub(crate) sampling: SamplingArgs,
    /// Tell the log-probability of each token, and of the N likeliest in its place, 0 to 20: as lines of JSON on stderr.
    #[arg(long, value_name = "N")]
    pub(crate) logprobs: Option<u32>,
    #[command(flatten)]
    pub(crate) conversation: ConversationArgs,
    #[command(flatten)]
    pub(crate) guess: GuessArgs,
    #[command(flatten)]
    pub(crate) device: DeviceArgs,
    #[command(flatten)]
    pub(crate) context: ContextArgs,
    /// How the GPU stores keys and values.
    #[arg(long, value_enum, default_value_t = KvName::F16)]
    pub(crate) kv: KvName,
}

#[derive(Debug, Args)]
pub(crate) struct PerplexityArgs {
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    /// A text file.
    #[arg(value_name = "FILE")]
    pub(crate) file: String,
    /// Another model, taken as the truth: what this one's probabilities diverge from.
    #[arg(long, value_name = "MODEL", value_parser = OsStringValueParser::new().map(Location::from))]
    pub(crate) against: Option<Location>,
    /// Tokens of a window; the second half of each is scored.
    #[arg(long, value_name = "N", default_value_t = 512, value_parser = clap::value_parser!(u32).range(4..=1 << 17))]
    pub(crate) window: u32,
    #[command(flatten)]
    pub(crate) device: DeviceArgs,
    /// How the GPU stores keys and values; f32 by default here, so that the numbers are exact.
    #[arg(long, value_enum, default_value_t = KvName::F32)]
    pub(crate) kv: KvName,
    /// Print {"tokens":…,"perplexity":…,"against":{…}}
    #[arg(long)]
    pub(crate) json: bool,
}
