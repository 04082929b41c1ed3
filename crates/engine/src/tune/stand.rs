//! Where kernels are tried.

use std::time::Duration;

use gpu::{Arithmetic, Gpu, GpuError, Pause, TierChoice};
use llama::{Attempt, LlamaError, Outline, Trial};
use protocol::Kernels;
use web_time::Instant;

use super::{arithmetic, tier};
use crate::EngineError;

/// What a person reads of a compiler's or a driver's message.
const MOST_CHARACTERS: usize = 300;

/// Something that runs a layer by any of the kernels.
pub(super) trait Stand {
    /// Compiles kernels, and gives what the layer comes to by them.
    async fn output(&mut self, round: Round, kernels: Kernels) -> Result<Vec<f32>, Fault>;

    /// The seconds that the round's tokens take through so many such layers.
    async fn seconds(&mut self, round: Round, kernels: Kernels, times: usize) -> Result<f64, Fault>;

    /// Lets go of a device on which something has gone wrong; what comes next gets another.
    fn abandon(&mut self, fault: &Fault);
}

/// What kernels are tried for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Round {
    /// A token.
    Decode,
    /// Many, by kernels that multiply floats or, beside them, halves or whole numbers.
    Prefill(Kernels),
}

impl Round {
    /// What is tried: first what the others are compared with.
    pub(super) fn kernels(self) -> Vec<Kernels> {
        match self {
            Round::Decode => vec![Kernels::Plain, Kernels::Subgroups, Kernels::Int8],
            Round::Prefill(floats) => vec![floats, Kernels::Halves, Kernels::Int8],
        }
    }

    /// What the others are compared with.
    pub(super) fn reference(self) -> Kernels {
        match self {
            Round::Decode => Kernels::Plain,
            Round::Prefill(floats) => floats,
        }
    }

    /// How many tokens are timed.
    pub(super) fn tokens(self) -> usize {
        match self {
            Round::Decode => 1,
            Round::Prefill(_) => Trial::TOKENS,
        }
    }

    /// What the device is turned to.
    fn way(self, kernels: Kernels) -> (Kernels, Arithmetic) {
        match self {
            Round::Prefill(floats) => (floats, arithmetic(kernels)),
            Round::Decode => (kernels, Arithmetic::Floats),
        }
    }
}

/// Why kernels gave nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The device cannot be tried with them, for a reason that is not theirs: a sentence.
    Unable(String),
    /// They failed: a sentence.
    Failed(String),
    /// The device was lost meanwhile, which need not be their doing: a sentence.
    Lost(String),
    /// They were waited for in vain.
    NoAnswer,
    /// Nobody waits for them any more.
    Stopped,
}

/// A device of its own, so that whatever happens to it does not happen to the model's.
pub(super) struct DeviceStand {
    outline: Outline,
    limit: Duration,
    pause: Pause,
    trial: Option<Trial>,
    /// What has been compiled on it.
    attempts: Vec<((Kernels, Arithmetic), Attempt)>,
}

impl DeviceStand {
    /// Opens nothing yet.
    pub(super) fn new(outline: Outline, limit: Duration, pause: Pause) -> DeviceStand {
        DeviceStand { outline, limit, pause, trial: None, attempts: Vec::new() }
    }

    async fn ready(&mut self, way: (Kernels, Arithmetic)) -> Result<(&Trial, &Attempt), Fault> {
        if self.trial.is_none() {
            self.trial = Some(self.open().await.map_err(unable)?);
        }
        let Some(trial) = &self.trial else { return Err(Fault::NoAnswer) };
        if !self.attempts.iter().any(|(of, _)| *of == way) {
            let (kernels, arithmetic) = way;
            self.attempts.push((way, trial.attempt(tier(kernels), arithmetic).await.map_err(fault)?));
        }
        let attempt = self.attempts.iter().find(|(of, _)| *of == way);
        attempt.map(|(_, attempt)| (trial, attempt)).ok_or(Fault::NoAnswer)
    }

    async fn open(&self) -> Result<Trial, LlamaError> {
        let mut gpu = Gpu::request(TierChoice::Plain).await?;
        gpu.answer_within(self.limit);
        // Where nobody needs to be nudged, an empty submit costs nothing.
        gpu.nudge_after(self.pause.clone());
        Trial::new(gpu, self.outline.clone()).await
    }
}

impl Stand for DeviceStand {
    async fn output(&mut self, round: Round, kernels: Kernels) -> Result<Vec<f32>, Fault> {
        let (trial, attempt) = self.ready(round.way(kernels)).await?;
        trial.output(attempt).await.map_err(fault)
    }

    async fn seconds(&mut self, round: Round, kernels: Kernels, times: usize) -> Result<f64, Fault> {
        let (trial, attempt) = self.ready(round.way(kernels)).await?;
        let started = Instant::now();
        match round {
            Round::Decode => trial.decode(attempt, times).await.map_err(fault)?,
            Round::Prefill(_) => trial.prefill(attempt, times).await.map_err(fault)?,
        }
        // Clocks of browsers may stand still for a moment.
        Ok(started.elapsed().as_secs_f64().max(1e-6))
    }

    fn abandon(&mut self, fault: &Fault) {
        self.attempts.clear();
        match (self.trial.take(), fault) {
            (Some(trial), Fault::NoAnswer | Fault::Stopped) => trial.abandon(),
            (trial, _) => drop(trial),
        }
    }
}

/// A device that does not open, or has no room, says nothing about kernels.
fn unable(error: LlamaError) -> Fault {
    Fault::Unable(sentence(error))
}

fn fault(error: LlamaError) -> Fault {
    match error {
        LlamaError::Gpu(GpuError::NoAnswer { .. }) => Fault::NoAnswer,
        LlamaError::Gpu(GpuError::Lost { .. }) => Fault::Lost(sentence(error)),
        LlamaError::Gpu(
            GpuError::NoSubgroups { .. }
            | GpuError::NoInt8 { .. }
            | GpuError::NoHalves { .. }
            | GpuError::OutOfMemory { .. }
            | GpuError::TooLarge { .. },
        ) => unable(error),
        error => Fault::Failed(sentence(error)),
    }
}

/// In one line that is not too long: a compiler quotes the shader.
fn sentence(error: LlamaError) -> String {
    let message = EngineError::from(error).failure().message;
    let line = message.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(MOST_CHARACTERS) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_one_line() {
        let refused = |found: &str| {
            LlamaError::Gpu(GpuError::Refused { what: "a plan".to_owned(), found: found.to_owned() })
        };
        let expected = "The GPU refused a plan: no such name 12 | sum; please report this.";
        assert_eq!(fault(refused("no such name\n\n  12 | sum")), Fault::Failed(expected.to_owned()));
        let Fault::Failed(reason) = fault(refused(&"┌─ ".repeat(500))) else { panic!("not their fault") };
        assert_eq!((reason.chars().count(), reason.ends_with('…')), (MOST_CHARACTERS + 1, true));
    }

    #[test]
    fn what_says_nothing_of_kernels_is_not_held_against_them() {
        let (what, found) = (String::new, String::new);
        for error in [
            GpuError::NoSubgroups { found: found() },
            GpuError::NoInt8 { found: found() },
            GpuError::NoHalves { found: found() },
            GpuError::OutOfMemory { what: what() },
            GpuError::TooLarge { label: what(), bytes: 2, limit: 1 },
        ] {
            assert!(matches!(fault(error.clone().into()), Fault::Unable(_)), "{error:?}");
        }
        assert_eq!(fault(GpuError::NoAnswer { seconds: 10 }.into()), Fault::NoAnswer);
        assert!(matches!(fault(GpuError::Lost { reason: found() }.into()), Fault::Lost(_)));
    }
}
