//! What sampling needs on the device: the settings of a generation, and the ids by position that penalties look at.
//!
//! All of it is made once and written once a generation. What the settings mean stands in [`format::sampling`].

use bytemuck::{Pod, Zeroable};
use format::Sampling;
use format::sampling::{MOST_BIASES, MOST_LOG_PROBS};
use gpu::{Allocator, Gpu, GpuError, Tensor};

pub(crate) const SAMPLING: &str = include_str!("sampling.wgsl");

/// Mirrors `Settings` in `sampling.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
struct Settings {
    inverse_temperature: f32,
    reach: f32,
    top_k: u32,
    top_p: u32,
    min_p_distance: u32,
    seed: [u32; 2],
    repetition: f32,
    inverse_repetition: f32,
    frequency: f32,
    presence: f32,
    window: u32,
    biases: u32,
    masked: u32,
    log_probs: u32,
}

/// The operands of [`adjust`](crate::adjust), [`sample`](crate::sample) and [`log_probs`](crate::log_probs) beside logits
/// and tokens.
#[derive(Debug)]
pub struct SamplingTensors {
    pub(crate) settings: Tensor, // [1, words of Settings]
    pub(crate) biases: Tensor,   // [MOST_BIASES, 2] id, bits of the bias
    pub(crate) mask: Tensor,     // [1, ceil(vocab_size / 32)]
    pub(crate) history: Tensor,  // [1, context] ids by position
    pub(crate) counts: Tensor,   // [1, vocab_size] zero between steps
    /// `[1, vocab_size]`: logits as the settings change them.
    pub scores: Tensor,
    /// `[ring, LOG_PROBS_ROW]`: the chosen id, its log-probability, and the same of the likeliest ones.
    pub log_probs: Tensor,
}

/// Words of a row of log-probabilities.
pub const LOG_PROBS_ROW: usize = 2 + 2 * MOST_LOG_PROBS as usize;

impl SamplingTensors {
    /// Room for a vocabulary, a context, and as many rows of log-probabilities as the ring has slots.
    pub fn new(
        make: &Allocator,
        vocab_size: usize,
        context: usize,
        ring: usize,
    ) -> Result<SamplingTensors, GpuError> {
        Ok(SamplingTensors {
            settings: make.tensor("settings", [1, size_of::<Settings>() / 4])?,
            biases: make.tensor("logit biases", [MOST_BIASES, 2])?,
            mask: make.tensor("token mask", [1, vocab_size.div_ceil(32)])?,
            history: make.tensor("history", [1, context])?,
            counts: make.tensor("counts", [1, vocab_size])?,
            scores: make.tensor("scores", [1, vocab_size])?,
            log_probs: make.tensor("log-probabilities", [ring, LOG_PROBS_ROW])?,
        })
    }

    /// Settings for the steps to come, and the ids at the positions before them.
    /// Panics if there are more biases, words of the mask or ids than there is room for: the caller counts.
    pub fn write(&self, gpu: &Gpu, sampling: &Sampling, seen: &[u32]) {
        let settings = settings(sampling);
        gpu.write(&self.settings, 0, bytemuck::cast_slice(&[settings]));
        let biases: Vec<u32> =
            sampling.logit_bias.iter().flat_map(|(id, bias)| [*id, bias.to_bits()]).collect();
        // What an earlier mask has left behind the end of this one would be allowed.
        let mut mask = sampling.mask.clone().unwrap_or_default();
        if sampling.mask.is_some() {
            mask.resize(mask.len().max(self.mask.shape()[1]), 0);
        }
        for (tensor, words) in [(&self.biases, &biases), (&self.mask, &mask)] {
            if !words.is_empty() {
                gpu.write(tensor, 0, words);
            }
        }
        if settings.window > 0 && !seen.is_empty() {
            self.remember(gpu, 0, seen);
        }
    }

    /// The ids at the positions from `position` on, of a step after which nothing is adjusted.
    /// Panics if there is no room for them: the caller counts.
    pub fn remember(&self, gpu: &Gpu, position: usize, ids: &[u32]) {
        gpu.write(&self.history, position, ids);
    }
}

fn settings(sampling: &Sampling) -> Settings {
    let penalties = &sampling.penalties;
    Settings {
        inverse_temperature: sampling.inverse_temperature(),
        reach: sampling.reach(),
        top_k: sampling.top_k,
        top_p: sampling.top_p_parts(),
        min_p_distance: sampling.min_p_distance(),
        seed: sampling.seed_words(),
        repetition: penalties.repetition,
        inverse_repetition: 1.0 / penalties.repetition,
        frequency: penalties.frequency,
        presence: penalties.presence,
        window: penalties.looks_at(usize::MAX) as u32,
        biases: sampling.logit_bias.len() as u32,
        masked: u32::from(sampling.mask.is_some()),
        log_probs: sampling.log_probs.unwrap_or(0),
    }
}
