//! How fast a model reads prompts of several lengths, and decodes after each.

use protocol::{BenchmarkStage, FinishReason, LeftOut, LeftOutReason, SpeedReport, Usage};
use web_time::Instant;

use super::{Halt, Stages};
use crate::{Engine, Speculate, StopFlag};

/// Tokens of the prompts, the shortest first.
const PROMPTS: [usize; 3] = [16, 512, 2048];

/// Tokens that are decoded after a prompt: as many as come in a second, within these bounds.
const FEWEST: usize = 8;
const MOST: usize = 64;

/// A prompt is measured so often, unless that takes longer than these seconds.
const RUNS: usize = 3;
const RUNS_SECONDS: f64 = 2.0;

/// How long a person has waited, and will wait.
pub(super) struct Patience {
    pub(super) started: Instant,
    pub(super) seconds: f64,
}

impl Patience {
    /// Seconds that the benchmark has taken so far.
    pub(super) fn spent(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }
}

/// Tokens a second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rates {
    prefill: f64,
    decode: f64,
}

impl Rates {
    fn of(usage: &Usage) -> Rates {
        Rates { prefill: usage.prefill_tokens_per_second, decode: usage.decode_tokens_per_second }
    }

    fn or_better(self, other: Rates) -> Rates {
        Rates { prefill: self.prefill.max(other.prefill), decode: self.decode.max(other.decode) }
    }

    /// Tokens to be decoded where so many come a second.
    fn tokens(self) -> usize {
        (self.decode as usize).clamp(FEWEST, MOST)
    }

    /// Seconds that a prompt and the tokens after it will take.
    fn seconds(self, prompt_tokens: usize) -> f64 {
        prompt_tokens as f64 / self.prefill.max(1e-9) + self.tokens() as f64 / self.decode.max(1e-9)
    }
}

/// How many of the prompts a context holds, with something after them.
pub(super) fn prompts_that_fit(context: usize) -> usize {
    PROMPTS.iter().filter(|tokens| fits(**tokens, context)).count()
}

fn fits(prompt_tokens: usize, context: usize) -> bool {
    prompt_tokens + FEWEST <= context
}

/// What was measured, by the prompts' tokens, and what was not.
pub(super) async fn measure(
    engine: &mut Engine,
    patience: &Patience,
    stages: &mut Stages<'_>,
) -> Result<(Vec<(usize, Rates)>, Vec<LeftOut>), Halt> {
    let (mut measured, mut left_out) = (Vec::new(), Vec::new());
    let mut known = None;
    for tokens in PROMPTS {
        let prompt_tokens = tokens as u32;
        if let Some(reason) = reason_to_skip(tokens, engine.backend.context(), known, patience) {
            left_out.push(LeftOut { prompt_tokens, reason });
            continue;
        }
        stages.begin(BenchmarkStage::Speed { prompt_tokens }).await?;
        let prompt = engine.any_prompt(tokens);
        // The very first run finds out how large steps should be, and how many tokens come a second.
        let first = match known {
            None => once(engine, &prompt, FEWEST, stages.stop).await?,
            Some(known) => known,
        };
        let best = best_of_runs(engine, &prompt, first.tokens(), stages.stop).await?;
        known = Some(best);
        measured.push((tokens, best));
    }
    Ok((measured, left_out))
}

/// The first prompt is always measured: only then is it known how long others would take.
fn reason_to_skip(
    prompt_tokens: usize,
    context: usize,
    known: Option<Rates>,
    patience: &Patience,
) -> Option<LeftOutReason> {
    if !fits(prompt_tokens, context) {
        return Some(LeftOutReason::Context);
    }
    let needed = known.map_or(0.0, |rates| rates.seconds(prompt_tokens));
    (patience.spent() + needed > patience.seconds && known.is_some()).then_some(LeftOutReason::Time)
}

async fn best_of_runs(
    engine: &mut Engine,
    prompt: &[u32],
    tokens: usize,
    stop: &StopFlag,
) -> Result<Rates, Halt> {
    let started = Instant::now();
    let mut best = once(engine, prompt, tokens, stop).await?;
    for _ in 1..RUNS {
        if started.elapsed().as_secs_f64() > RUNS_SECONDS {
            break;
        }
        best = best.or_better(once(engine, prompt, tokens, stop).await?);
    }
    Ok(best)
}

async fn once(engine: &mut Engine, prompt: &[u32], tokens: usize, stop: &StopFlag) -> Result<Rates, Halt> {
    let answer = engine.past_the_turn(prompt, tokens, Speculate::Never, stop).await?;
    match answer.reason {
        FinishReason::Stopped => Err(Halt::Stopped),
        _ => Ok(Rates::of(&answer.usage)),
    }
}

/// What a decoded token has to read, and how fast that can be read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ceiling {
    pub(super) weight_bytes: Option<u64>,
    /// Of one token of the context.
    pub(super) kv_bytes: u64,
    pub(super) read_bytes_per_second: Option<f64>,
}

impl Ceiling {
    pub(super) fn report(self, prompt_tokens: usize, rates: Rates) -> SpeedReport {
        let kv_bytes = self.kv_bytes * prompt_tokens as u64;
        let bytes_per_token = self.weight_bytes.map(|weights| weights + kv_bytes);
        let read = bytes_per_token.map(|bytes| bytes as f64 * rates.decode);
        SpeedReport {
            prompt_tokens: prompt_tokens as u32,
            prefill_tokens_per_second: rates.prefill,
            decode_tokens_per_second: rates.decode,
            bytes_per_token,
            bandwidth_fraction: read.zip(self.read_bytes_per_second).map(|(read, most)| read / most),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_is_decoded_within_bounds() {
        for (decode, expected) in [(0.0, 8), (3.1, 8), (20.9, 20), (500.0, 64), (f64::NAN, 8)] {
            assert_eq!(Rates { prefill: 1.0, decode }.tokens(), expected, "{decode}");
        }
    }

    #[test]
    fn what_does_not_fit_or_takes_too_long_is_left_out() {
        let slow = Rates { prefill: 10.0, decode: 4.0 }; // 512 tokens take 51.2 s, and 8 after them 2 s.
        let (context, time) = (Some(LeftOutReason::Context), Some(LeftOutReason::Time));
        for (tokens, room, known, seconds, expected) in [
            (16, 23, None, 60.0, context),
            (16, 24, None, 60.0, None),
            (16, 24, None, 0.0, None), // Nothing is known yet.
            (512, 1024, Some(slow), 60.0, None),
            (512, 1024, Some(slow), 53.0, time),
            (512, 512, Some(slow), 60.0, context),
            (16, 24, Some(slow), 0.0, time),
        ] {
            let patience = Patience { started: Instant::now(), seconds };
            let got = reason_to_skip(tokens, room, known, &patience);
            assert_eq!(got, expected, "{tokens} tokens in {room}, {known:?}, {seconds} s");
        }
    }

    #[test]
    fn a_context_is_asked_for_what_it_holds() {
        for (context, expected) in [(1, 0), (24, 1), (519, 1), (520, 2), (2055, 2), (2056, 3)] {
            assert_eq!(prompts_that_fit(context), expected, "{context}");
        }
    }

    #[test]
    fn the_limit_is_that_of_weights_keys_and_values() {
        let rates = Rates { prefill: 100.0, decode: 20.0 };
        let gpu = Ceiling { weight_bytes: Some(1000), kv_bytes: 2, read_bytes_per_second: Some(64_000.0) };
        let report = gpu.report(300, rates);
        assert_eq!((report.bytes_per_token, report.bandwidth_fraction), (Some(1600), Some(0.5)));
        let unknown = Ceiling { read_bytes_per_second: None, ..gpu }.report(300, rates);
        assert_eq!((unknown.bytes_per_token, unknown.bandwidth_fraction), (Some(1600), None));
        let cpu = Ceiling { weight_bytes: None, ..gpu }.report(300, rates);
        assert_eq!((cpu.bytes_per_token, cpu.bandwidth_fraction), (None, None));
    }
}
