//! How tokens are drawn: what a person may ask for, and what a model's makers want.

use serde::{Deserialize, Serialize};

/// How tokens are drawn. In a chat, what is `None` is as the model's makers want it; else, and where they want nothing,
/// the likeliest token is taken, unless a setting that is about drawing asks for more.
///
/// `temperature`, `top_k`, `top_p` and `min_p` take effect in this order, and before them `logit_bias`, then the
/// penalties, then `allowed_tokens`. What is out of its bounds is refused by name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sampling {
    /// What logits are divided by, 0 to 5; at 0 the likeliest token is taken.
    pub temperature: Option<f32>,
    /// How many of the likeliest tokens are drawn from; 0 for all. Those as likely as the last of them are drawn from too.
    pub top_k: Option<u32>,
    /// The least probability, in sum, of the tokens that are drawn from: above 0, and 1 for all.
    pub top_p: Option<f32>,
    /// How likely, measured by the likeliest, a token must be to be drawn: 0 to 1, and 0 for all.
    pub min_p: Option<f32>,
    /// What the logits of tokens that were there are divided by, or multiplied where they are below zero: 0.01 to 10, and
    /// 1 changes nothing.
    pub repetition_penalty: Option<f32>,
    /// What is taken from a logit for each time that its token was there, -2 to 2.
    pub frequency_penalty: Option<f32>,
    /// What is taken from a logit if its token was there, -2 to 2.
    pub presence_penalty: Option<f32>,
    /// How many of the last tokens, the prompt's included, the penalties look at: at least 1; `None` for all.
    pub penalty_window: Option<u32>,
    /// Tokens, and what is added to their logits, -100 to 100. At most 1,024, and none twice.
    pub logit_bias: Vec<(u32, f32)>,
    /// The only tokens that may be chosen, at least one; `None` for all.
    pub allowed_tokens: Option<Vec<u32>>,
    /// What the draws follow from: the same seed gives the same answer on the same device. Up to 2^53 - 1, which every
    /// reader of JSON keeps; `None` for a number that [`Usage`](crate::Usage) then tells.
    pub seed: Option<u64>,
    /// How many of the likeliest tokens' log-probabilities are told with each token, beside its own: 0 to 20.
    pub logprobs: Option<u32>,
}

/// How a model's makers want tokens drawn; what they do not say is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SamplingDefaults {
    /// Whether to draw at all, rather than to take the likeliest.
    pub do_sample: Option<bool>,
    /// What logits are divided by.
    pub temperature: Option<f32>,
    /// How many of the likeliest tokens are drawn from.
    pub top_k: Option<u32>,
    /// The least probability, in sum, of the tokens that are drawn from.
    pub top_p: Option<f32>,
    /// What makes tokens that have been said less likely; 1 changes nothing.
    pub repetition_penalty: Option<f32>,
}

/// A token and its log-probability, in the model's own distribution: before any setting has changed it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogProb {
    /// The token.
    pub id: u32,
    /// The natural logarithm of its probability.
    pub logprob: f32,
}

/// The log-probabilities that were asked for, of one token of an answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogProbs {
    /// The token of the answer.
    pub chosen: LogProb,
    /// The likeliest tokens in its place, the likeliest first.
    pub top: Vec<LogProb>,
}

impl Sampling {
    /// With what a model's makers want where nothing is asked for. A wish to draw counts only where they draw at all.
    pub fn or(self, makers: &SamplingDefaults) -> Sampling {
        let drawn =
            SamplingDefaults { repetition_penalty: makers.repetition_penalty, ..SamplingDefaults::default() };
        let wanted = if makers.do_sample == Some(true) { *makers } else { drawn };
        // Hugging Face's own temperature, where its makers draw and name none.
        let temperature = wanted.temperature.or(wanted.do_sample.map(|_| 1.0));
        Sampling {
            temperature: self.temperature.or(temperature),
            top_k: self.top_k.or(wanted.top_k),
            top_p: self.top_p.or(wanted.top_p),
            repetition_penalty: self.repetition_penalty.or(wanted.repetition_penalty),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_comes_before_what_the_makers_want() {
        let makers = SamplingDefaults {
            do_sample: Some(true),
            temperature: Some(0.6),
            top_k: None,
            top_p: Some(0.9),
            repetition_penalty: Some(1.1),
        };
        let nothing = Sampling::default();
        let all = Sampling {
            temperature: Some(0.6),
            top_p: Some(0.9),
            repetition_penalty: Some(1.1),
            ..nothing.clone()
        };
        assert_eq!(nothing.clone().or(&makers), all);
        let asked = Sampling { temperature: Some(0.0), top_k: Some(5), seed: Some(0), ..nothing.clone() };
        let both = Sampling { temperature: Some(0.0), top_k: Some(5), seed: Some(0), ..all };
        assert_eq!(asked.or(&makers), both);

        let nameless = SamplingDefaults { do_sample: Some(true), ..SamplingDefaults::default() };
        assert_eq!(nothing.clone().or(&nameless), Sampling { temperature: Some(1.0), ..nothing.clone() });
        for do_sample in [None, Some(false)] {
            let likeliest = SamplingDefaults { do_sample, ..makers };
            let penalized = Sampling { repetition_penalty: Some(1.1), ..nothing.clone() };
            assert_eq!(nothing.clone().or(&likeliest), penalized, "{do_sample:?}");
        }
    }

    #[test]
    fn a_request_names_only_what_it_asks_for() {
        let json = r#"{"temperature": 0.5, "logit_bias": [[7, -1.5]], "seed": 0, "logprobs": 3}"#;
        let expected = Sampling {
            temperature: Some(0.5),
            logit_bias: vec![(7, -1.5)],
            seed: Some(0),
            logprobs: Some(3),
            ..Sampling::default()
        };
        assert_eq!(serde_json::from_str::<Sampling>(json).unwrap(), expected);
    }
}
