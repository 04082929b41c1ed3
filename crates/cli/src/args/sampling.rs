//! The words for how tokens are drawn. What is out of its bounds is the engine's to refuse: it knows them.

use std::str::FromStr;

use clap::Args;
use protocol::Sampling;

#[derive(Debug, Args)]
#[command(next_help_heading = "How tokens are drawn")]
pub(crate) struct SamplingArgs {
    /// Take the most likely token each time, whatever the model's makers want: as --temperature 0 does.
    #[arg(long, conflicts_with_all = ["temperature", "top_k", "top_p", "min_p", "seed"])]
    greedy: bool,
    /// What logits are divided by, 0 to 5: low for the expected, high for the unexpected, 0 for the most likely token.
    #[arg(long, value_name = "T", allow_negative_numbers = true)]
    temperature: Option<f32>,
    /// Draw from the K most likely tokens; 0 for all.
    #[arg(long, value_name = "K")]
    top_k: Option<u32>,
    /// Draw from the fewest tokens whose probabilities reach P in sum: above 0, and 1 for all.
    #[arg(long, value_name = "P", allow_negative_numbers = true)]
    top_p: Option<f32>,
    /// Draw from the tokens that are at least P times as likely as the likeliest, 0 to 1.
    #[arg(long, value_name = "P", allow_negative_numbers = true)]
    min_p: Option<f32>,
    /// Make tokens that were there less likely: divide their logits, 0.01 to 10; 1 changes nothing.
    #[arg(long, value_name = "R", allow_negative_numbers = true)]
    repetition_penalty: Option<f32>,
    /// Take this from a logit for each time that its token was there, -2 to 2.
    #[arg(long, value_name = "F", allow_negative_numbers = true)]
    frequency_penalty: Option<f32>,
    /// Take this from a logit if its token was there, -2 to 2.
    #[arg(long, value_name = "P", allow_negative_numbers = true)]
    presence_penalty: Option<f32>,
    /// Let the penalties look at the last N tokens only, the prompt's included [default: all]
    #[arg(long, value_name = "N")]
    penalty_window: Option<u32>,
    /// Add V, -100 to 100, to the logit of a token; may be given for several tokens.
    #[arg(long, value_name = "ID=V", allow_hyphen_values = true)]
    logit_bias: Vec<Bias>,
    /// What the draws follow from: the same number gives the same answer on the same device [default: another each time]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
}

/// A token's bias, as in `15=-2.5`.
#[derive(Clone, Copy, Debug)]
struct Bias {
    id: u32,
    bias: f32,
}

impl FromStr for Bias {
    type Err = String;

    fn from_str(text: &str) -> Result<Bias, String> {
        let parse = || {
            let (id, bias) = text.split_once('=')?;
            Some(Bias { id: id.parse().ok()?, bias: bias.parse().ok()? })
        };
        parse().ok_or_else(|| "expected a token's id and a number, as in 15=-2.5".to_owned())
    }
}

impl SamplingArgs {
    /// What was asked for; `logprobs` if they are to be told.
    pub(crate) fn sampling(&self, logprobs: Option<u32>) -> Sampling {
        Sampling {
            temperature: if self.greedy { Some(0.0) } else { self.temperature },
            top_k: self.top_k,
            top_p: self.top_p,
            min_p: self.min_p,
            repetition_penalty: self.repetition_penalty,
            frequency_penalty: self.frequency_penalty,
            presence_penalty: self.presence_penalty,
            penalty_window: self.penalty_window,
            logit_bias: self.logit_bias.iter().map(|Bias { id, bias }| (*id, *bias)).collect(),
            allowed_tokens: None,
            seed: self.seed,
            logprobs,
        }
    }
}
