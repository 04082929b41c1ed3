//! Choices other than the likeliest: what their plans run, and what comes back of them.
//!
//! | settings | dispatches |
//! |---|---|
//! | none | argmax |
//! | a temperature | sample |
//! | penalties, biases or a mask | adjust, then argmax or sample |
//! | log-probabilities | log_probs behind any of these |

use format::{LogProbs, Sampling};
use gpu::{Gpu, GpuError, Plan, Step};
use kernels::{LOG_PROBS_ROW, SamplingTensors, adjust, argmax, log_probs, sample};

use crate::NOT_A_NUMBER;
use crate::plans::{Activations, RING};

/// What is made when something other than the likeliest is first asked for, or while a model loads that is usually asked
/// so, and kept.
#[derive(Debug)]
pub(crate) struct Sampler {
    pub(crate) tensors: SamplingTensors,
    adjust: Plan,
    argmax_scores: Plan,
    sample_logits: Plan,
    sample_scores: Plan,
    log_probs: Plan,
    /// Draws after each of several tokens; made when that is first wanted.
    pub(crate) sample_each: Option<Plan>,
}

/// What of it the steps of a generation run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Way {
    scores: Scores,
    choice: Choice,
    /// How many of the likeliest tokens' log-probabilities come back beside the chosen one's.
    pub(crate) log_probs: Option<u32>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Scores {
    #[default]
    Logits,
    Adjusted,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Choice {
    #[default]
    Likeliest,
    Drawn,
}

/// An id that was chosen.
#[derive(Clone, Debug, PartialEq)]
pub struct Chosen {
    /// The id; [`NOT_A_NUMBER`] if the logits were none.
    pub id: u32,
    /// Log-probabilities, if they were asked for.
    pub log_probs: Option<LogProbs>,
}

impl Chosen {
    /// What the words of a [`Receipt`](gpu::Receipt) of the model say.
    pub fn new(words: &[u32]) -> Chosen {
        let id = words.first().copied().unwrap_or(NOT_A_NUMBER);
        let mut pairs = words.chunks_exact(2).map(|pair| (pair[0], f32::from_bits(pair[1])));
        let log_probs = pairs.next().map(|(_, chosen)| LogProbs { chosen, top: pairs.collect() });
        Chosen { id, log_probs }
    }
}

impl Way {
    pub(crate) fn new(sampling: &Sampling) -> Way {
        Way {
            scores: if sampling.adjusts() { Scores::Adjusted } else { Scores::Logits },
            choice: if sampling.is_greedy() { Choice::Likeliest } else { Choice::Drawn },
            log_probs: sampling.log_probs,
        }
    }

    /// Whether ids depend on nothing but logits and positions, and nothing is told about them: then those that were guessed
    /// can be checked together.
    pub(crate) fn can_be_checked(self) -> bool {
        self.scores == Scores::Logits && self.log_probs.is_none()
    }

    /// Whether ids are drawn.
    pub(crate) fn draws(self) -> bool {
        self.choice == Choice::Drawn
    }

    /// Where in the rows of log-probabilities a step's words begin, and how many there are.
    pub(crate) fn row(slot: usize, log_probs: u32) -> (usize, usize) {
        (slot * LOG_PROBS_ROW, 2 + 2 * log_probs as usize)
    }
}

impl Sampler {
    pub(crate) async fn new(gpu: &Gpu, context: usize, buffers: &Activations) -> Result<Sampler, GpuError> {
        let Activations { logits, sampled, tokens, .. } = buffers;
        let vocab_size = logits.shape()[1];
        let tensors =
            gpu.allocate("the sampler", |make| SamplingTensors::new(make, vocab_size, context, RING)).await?;
        let scores = &tensors.scores;
        let [mut adjusting, mut taking, mut drawing, mut drawing_adjusted, mut telling] =
            std::array::from_fn(|_| gpu.plan());
        adjust(&mut adjusting, logits, tokens, &tensors);
        argmax(&mut taking, scores, sampled, tokens);
        sample(&mut drawing, logits, &tensors, sampled, tokens);
        sample(&mut drawing_adjusted, scores, &tensors, sampled, tokens);
        log_probs(&mut telling, logits, &tensors, sampled);
        let (adjust, argmax_scores) = (adjusting.finish().await?, taking.finish().await?);
        let (sample_logits, sample_scores) = (drawing.finish().await?, drawing_adjusted.finish().await?);
        let log_probs = telling.finish().await?;
        let sample_each = None;
        Ok(Sampler { tensors, adjust, argmax_scores, sample_logits, sample_scores, log_probs, sample_each })
    }

    /// Adds what chooses an id to a step. `argmax` is the plan for the highest logit.
    pub(crate) fn choose<'a>(&'a self, step: Step<'a>, way: Way, argmax: &'a Plan) -> Step<'a> {
        let step = match (way.scores, way.choice) {
            (Scores::Logits, Choice::Likeliest) => step.run(argmax),
            (Scores::Logits, Choice::Drawn) => step.run(&self.sample_logits),
            (Scores::Adjusted, Choice::Likeliest) => step.run(&self.adjust).run(&self.argmax_scores),
            (Scores::Adjusted, Choice::Drawn) => step.run(&self.adjust).run(&self.sample_scores),
        };
        if way.log_probs.is_some() { step.run(&self.log_probs) } else { step }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_say_what_was_chosen() {
        let [a, b] = [-0.5f32, -2.0].map(f32::to_bits);
        let top = vec![(3, -0.5), (9, -2.0)];
        for (words, id, log_probs) in [
            (vec![], NOT_A_NUMBER, None),
            (vec![7], 7, None),
            (vec![7, b], 7, Some(LogProbs { chosen: -2.0, top: Vec::new() })),
            (vec![7, b, 3, a, 9, b], 7, Some(LogProbs { chosen: -2.0, top })),
        ] {
            assert_eq!(Chosen::new(&words), Chosen { id, log_probs }, "{words:?}");
        }
    }
}
