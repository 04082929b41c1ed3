//! How tokens are to be drawn, checked and settled: every setting gets a value, and every value lies within its bounds.

use std::fmt::Display;
use std::ops::RangeInclusive;

use format::sampling::{MOST_BIASES, MOST_LOG_PROBS, Penalties, Sampling};
use protocol::{LogProb, LogProbs, Sampling as Asked, SamplingDefaults};
use web_time::{SystemTime, UNIX_EPOCH};

use crate::{Engine, EngineError};

const TEMPERATURE: RangeInclusive<f32> = 0.0..=5.0;
const REPETITION: RangeInclusive<f32> = 0.01..=10.0;
const PENALTY: RangeInclusive<f32> = -2.0..=2.0;
const BIAS: RangeInclusive<f32> = -100.0..=100.0;

/// The highest whole number up to which every reader of JSON knows each.
const MOST_SEED: u64 = (1 << 53) - 1;

impl Engine {
    /// What is asked for, and where nothing is, what the model's makers want: as [`Engine::chat`] draws.
    pub fn with_makers(&self, asked: &Asked) -> Asked {
        or_as_makers_want(asked, self.info.sampling)
    }
}

fn or_as_makers_want(asked: &Asked, makers: SamplingDefaults) -> Asked {
    let within = |value: Option<f32>, bounds: RangeInclusive<f32>| {
        value.map(|value| value.clamp(*bounds.start(), *bounds.end()))
    };
    // A person can change what they asked for, but not what the makers want.
    asked.clone().or(&SamplingDefaults {
        temperature: within(makers.temperature, TEMPERATURE),
        repetition_penalty: within(makers.repetition_penalty, REPETITION),
        ..makers
    })
}

/// The settings of an answer where nothing is asked for: what a load makes ready for.
pub(crate) fn as_makers_want(makers: SamplingDefaults, vocab_size: usize) -> Sampling {
    settle(&or_as_makers_want(&Asked::default(), makers), vocab_size).unwrap_or_default()
}

/// The settings of an answer. Without a temperature the likeliest token is taken, unless another setting is about drawing.
pub(crate) fn settle(asked: &Asked, vocab_size: usize) -> Result<Sampling, EngineError> {
    let draws =
        asked.top_k.is_some() || asked.top_p.is_some() || asked.min_p.is_some() || asked.seed.is_some();
    let temperature = asked.temperature.or(draws.then_some(1.0)).unwrap_or(0.0);
    let none = Penalties::default();
    let repetition = asked.repetition_penalty.unwrap_or(none.repetition);
    let frequency = asked.frequency_penalty.unwrap_or(none.frequency);
    let presence = asked.presence_penalty.unwrap_or(none.presence);
    let window = asked.penalty_window.unwrap_or(none.window);
    let (top_p, min_p) = (asked.top_p.unwrap_or(1.0), asked.min_p.unwrap_or(0.0));
    let log_probs = asked.logprobs;

    within("temperature", temperature, TEMPERATURE)?;
    if !(top_p > 0.0 && top_p <= 1.0) {
        return Err(refused("top_p", top_p, "above 0 and at most 1"));
    }
    within("min_p", min_p, 0.0..=1.0)?;
    within("repetition_penalty", repetition, REPETITION)?;
    within("frequency_penalty", frequency, PENALTY)?;
    within("presence_penalty", presence, PENALTY)?;
    within("penalty_window", window, 1..=u32::MAX)?;
    within("logprobs", log_probs.unwrap_or(0), 0..=MOST_LOG_PROBS)?;
    check_biases(&asked.logit_bias, vocab_size)?;
    let mask = asked.allowed_tokens.as_deref().map(|allowed| mask(allowed, vocab_size)).transpose()?;
    let seed = asked.seed.unwrap_or_else(fresh_seed);
    within("seed", seed, 0..=MOST_SEED)?;
    Ok(Sampling {
        temperature,
        top_k: asked.top_k.unwrap_or(0),
        top_p,
        min_p,
        penalties: Penalties { repetition, frequency, presence, window },
        logit_bias: asked.logit_bias.clone(),
        mask,
        seed,
        // There are no more tokens than that.
        log_probs: log_probs.map(|most| most.min(vocab_size as u32)),
    })
}

fn check_biases(biases: &[(u32, f32)], vocab_size: usize) -> Result<(), EngineError> {
    within("the number of tokens with a logit_bias", biases.len(), 0..=MOST_BIASES)?;
    let mut ids: Vec<u32> = biases.iter().map(|(id, _)| *id).collect();
    ids.sort_unstable();
    if let Some(&[id, _]) = ids.array_windows().find(|[a, b]| a == b) {
        return Err(refused(
            format!("the number of biases that logit_bias has for token {id}"),
            "2 or more",
            1,
        ));
    }
    for (id, bias) in biases {
        within("a token in logit_bias", *id, 0..=vocab_size as u32 - 1)?;
        within(format!("the logit_bias of token {id}"), *bias, BIAS)?;
    }
    Ok(())
}

/// A bit for each token.
fn mask(allowed: &[u32], vocab_size: usize) -> Result<Vec<u32>, EngineError> {
    within("the number of allowed_tokens", allowed.len(), 1..=vocab_size)?;
    let mut mask = vec![0; vocab_size.div_ceil(32)];
    for id in allowed {
        within("a token in allowed_tokens", *id, 0..=vocab_size as u32 - 1)?;
        if let Some(word) = mask.get_mut(*id as usize / 32) {
            *word |= 1 << (id % 32);
        }
    }
    Ok(mask)
}

/// Not-a-numbers are within no bounds.
fn within<T: PartialOrd + Display>(
    name: impl Into<String>,
    found: T,
    bounds: RangeInclusive<T>,
) -> Result<(), EngineError> {
    match bounds.contains(&found) {
        true => Ok(()),
        false => Err(refused(name, found, format!("{} to {}", bounds.start(), bounds.end()))),
    }
}

fn refused(name: impl Into<String>, found: impl Display, bounds: impl Display) -> EngineError {
    EngineError::Sampling { name: name.into(), found: found.to_string(), bounds: bounds.to_string() }
}

/// A number that differs from answer to answer, short enough to be typed: the clock's, since nobody guards a secret with it.
fn fresh_seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos() as u64;
    now.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32
}

/// The protocol's words for log-probabilities.
pub(crate) fn told(id: u32, log_probs: &format::LogProbs) -> LogProbs {
    let chosen = LogProb { id, logprob: log_probs.chosen };
    LogProbs {
        chosen,
        top: log_probs.top.iter().map(|(id, logprob)| LogProb { id: *id, logprob: *logprob }).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VOCAB_SIZE: usize = 330;

    #[track_caller]
    fn check_refused(asked: Asked, sentence: &str) {
        let failure = settle(&asked, VOCAB_SIZE).unwrap_err().failure();
        assert_eq!(failure.kind, protocol::FailureKind::Sampling);
        assert_eq!(failure.message, format!("{sentence}; change it and ask again."));
    }

    #[test]
    fn what_is_out_of_bounds_is_refused_by_name() {
        let nothing = Asked::default;
        for (asked, sentence) in [
            (Asked { temperature: Some(5.5), ..nothing() }, "Temperature is 5.5, but must be 0 to 5"),
            (Asked { temperature: Some(-0.1), ..nothing() }, "Temperature is -0.1, but must be 0 to 5"),
            (Asked { temperature: Some(f32::NAN), ..nothing() }, "Temperature is NaN, but must be 0 to 5"),
            (Asked { top_p: Some(0.0), ..nothing() }, "top_p is 0, but must be above 0 and at most 1"),
            (Asked { top_p: Some(f32::NAN), ..nothing() }, "top_p is NaN, but must be above 0 and at most 1"),
            (Asked { min_p: Some(1.5), ..nothing() }, "min_p is 1.5, but must be 0 to 1"),
            (
                Asked { repetition_penalty: Some(0.0), ..nothing() },
                "repetition_penalty is 0, but must be 0.01 to 10",
            ),
            (
                Asked { frequency_penalty: Some(-3.0), ..nothing() },
                "frequency_penalty is -3, but must be -2 to 2",
            ),
            (
                Asked { presence_penalty: Some(f32::INFINITY), ..nothing() },
                "presence_penalty is inf, but must be -2 to 2",
            ),
            (
                Asked { penalty_window: Some(0), ..nothing() },
                "penalty_window is 0, but must be 1 to 4294967295",
            ),
            (Asked { logprobs: Some(21), ..nothing() }, "Logprobs is 21, but must be 0 to 20"),
            (
                Asked { seed: Some(1 << 53), ..nothing() },
                "Seed is 9007199254740992, but must be 0 to 9007199254740991",
            ),
            (
                Asked { logit_bias: vec![(330, 1.0)], ..nothing() },
                "A token in logit_bias is 330, but must be 0 to 329",
            ),
            (
                Asked { logit_bias: vec![(7, 101.0)], ..nothing() },
                "The logit_bias of token 7 is 101, but must be -100 to 100",
            ),
            (
                Asked { logit_bias: vec![(7, 1.0), (3, 1.0), (7, 2.0)], ..nothing() },
                "The number of biases that logit_bias has for token 7 is 2 or more, but must be 1",
            ),
            (
                Asked { allowed_tokens: Some(vec![]), ..nothing() },
                "The number of allowed_tokens is 0, but must be 1 to 330",
            ),
            (
                Asked { allowed_tokens: Some(vec![1; 331]), ..nothing() },
                "The number of allowed_tokens is 331, but must be 1 to 330",
            ),
            (
                Asked { allowed_tokens: Some(vec![7, 330]), ..nothing() },
                "A token in allowed_tokens is 330, but must be 0 to 329",
            ),
            (
                Asked { logit_bias: vec![(0, 0.0); 1025], ..nothing() },
                "The number of tokens with a logit_bias is 1025, but must be 0 to 1024",
            ),
        ] {
            check_refused(asked, sentence);
        }
    }

    #[test]
    fn what_is_not_asked_for_changes_nothing() {
        let settled = |asked: Asked| Sampling { seed: 0, ..settle(&asked, VOCAB_SIZE).unwrap() };
        let greedy = Sampling::default();
        assert_eq!(settled(Asked::default()), greedy);
        let penalties = Penalties { presence: 2.0, window: 9, ..Penalties::default() };
        let penalized = Asked { presence_penalty: Some(2.0), penalty_window: Some(9), ..Asked::default() };
        assert_eq!(settled(penalized), Sampling { penalties, ..greedy.clone() });
        let only = Asked { allowed_tokens: Some(vec![0, 31, 329, 31]), ..Asked::default() };
        let mask = settled(only).mask.unwrap();
        assert_eq!((mask.len(), mask[0], mask[10]), (11, 1 << 31 | 1, 1 << 9));
        assert!(mask[1..10].iter().all(|word| *word == 0));
        // These are about drawing, at the temperature of the model's own distribution; a seed of zero is one.
        for asked in [
            Asked { top_k: Some(0), ..Asked::default() },
            Asked { top_p: Some(1.0), ..Asked::default() },
            Asked { min_p: Some(0.0), ..Asked::default() },
            Asked { seed: Some(0), ..Asked::default() },
        ] {
            assert_eq!(settled(asked), Sampling { temperature: 1.0, ..greedy.clone() });
        }
        let cold = Asked { temperature: Some(0.0), seed: Some(5), top_k: Some(3), ..Asked::default() };
        assert!(settled(cold).is_greedy());
    }

    #[test]
    fn seeds_are_kept_and_fresh_ones_differ() {
        let seed = |asked| settle(&Asked { seed: asked, ..Asked::default() }, VOCAB_SIZE).unwrap().seed;
        for asked in [0, 1, MOST_SEED] {
            assert_eq!(seed(Some(asked)), asked);
        }
        assert!(settle(&Asked::default(), VOCAB_SIZE).unwrap().seed <= u64::from(u32::MAX));
        let first = fresh_seed();
        assert!((0..1000).any(|_| fresh_seed() != first));
    }
}
