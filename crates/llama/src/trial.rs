//! One layer of made-up weights, to try a device's kernels on before the model's own weights have come.
//!
//! ```text
//! Outline -> Trial: room for a layer, filled on the device -> Attempt: one tier's plans -> output, to be compared
//!                                                                                       -> decode or prefill, to be timed
//! ```
//!
//! The shapes and types are the model's, so that what is tried is what will run: what reads a prompt, what checks a few
//! guessed tokens, and what decodes one whose attention is split. Nothing else is made: neither embeddings nor a head, and
//! a cache for no more tokens than are read.

use gpu::{Allocator, Arithmetic, Gpu, Step, TierChoice};
use kernels::{FEW, KvCache, RopeTable, Splits, StepParams};

use crate::LlamaError;
use crate::plans::{Activations, Columns, LayerPlans, heads, splits};
use crate::weights::{LayerWeights, Outline, rounded_columns};

/// Tokens that are read at once: as many as a workgroup takes where it takes most.
const TOKENS: usize = 64;

/// What is read before a token is decoded, step by step: so much that its attention is split, and a few as if guessed.
const STEPS: [usize; 3] = [TOKENS, TOKENS, 5];

/// All of it.
const READ: usize = STEPS[0] + STEPS[1] + STEPS[2];

/// A device with the layer.
#[derive(Debug)]
pub struct Trial {
    gpu: Gpu,
    outline: Outline,
    layer: LayerWeights,
    cache: KvCache,
    rope: RopeTable,
}

/// One tier's kernels, compiled for the layer.
#[derive(Debug)]
pub struct Attempt {
    buffers: Activations,
    plans: LayerPlans,
    /// Of the token that sees all that are read, and itself.
    splits: Option<Splits>,
}

impl Trial {
    /// Tokens that [`Trial::prefill`] reads at once.
    pub const TOKENS: usize = TOKENS;

    /// Makes a layer up. Fails if the device has no room for it.
    pub async fn new(gpu: Gpu, outline: Outline) -> Result<Trial, LlamaError> {
        let layer = outline.layer(&gpu).await?;
        let (heads, binding_bytes) = (heads(&outline.config), gpu.limits().binding_bytes);
        let cache = |make: &Allocator| KvCache::new(make, heads, outline.kv, READ + 1, binding_bytes);
        let cache = gpu.allocate("the KV cache of a layer", cache).await?;
        let config = &outline.config;
        let rope = RopeTable::new(config.head_dim, config.rope_theta, config.rope_freqs().as_deref());
        let trial = Trial { gpu, outline, layer, cache, rope };
        trial.make_up().await?;
        Ok(trial)
    }

    /// The device.
    pub fn gpu(&self) -> &Gpu {
        &self.gpu
    }

    /// Turns the device to a tier and to what it is to multiply many tokens in, and compiles its kernels.
    pub async fn attempt(&self, tier: TierChoice, arithmetic: Arithmetic) -> Result<Attempt, LlamaError> {
        let Trial { gpu, outline, layer, cache, .. } = self;
        gpu.turn_to(tier).await?;
        gpu.multiply_in(arithmetic).await?;
        let rounded = rounded_columns(layer.matrices(), gpu);
        let columns = Columns { rounded, ..Columns::default() };
        let make = |make: &Allocator| Activations::new(make, &outline.config, TOKENS, columns);
        let buffers = gpu.allocate("the activations of a layer", make).await?;
        let plans = LayerPlans::new(gpu, &outline.config, layer, cache, &buffers).await?;
        let splits = splits(gpu, &outline.config, READ + 1);
        Ok(Attempt { buffers, plans, splits })
    }

    /// What tokens that are read in some steps come to, and behind them one that is decoded: `[tokens + 1, hidden_size]`.
    pub async fn output(&self, attempt: &Attempt) -> Result<Vec<f32>, LlamaError> {
        let Attempt { buffers, plans, .. } = attempt;
        let hidden = made_up(1, (READ + 1) * self.outline.config.hidden_size);
        let (mut output, mut position) = (Vec::new(), 0);
        for tokens in STEPS {
            let plan = plans.few.as_ref().filter(|_| tokens <= FEW).unwrap_or(&plans.prefill);
            let params = self.params(attempt, position, tokens);
            let step = self.gpu.step(params.seq_len, &params).run(plan);
            output.extend(self.run(buffers, &hidden[output.len()..], step, tokens).await?);
            position += tokens;
        }
        let params = self.params(attempt, position, 1);
        let step = self.step_of_one(attempt, &params).run(&plans.enter).run(&plans.decode);
        output.extend(self.run(buffers, &hidden[output.len()..], step, 1).await?);
        Ok(output)
    }

    /// What a step leaves of the first `tokens` rows of `hidden`.
    async fn run(
        &self,
        buffers: &Activations,
        hidden: &[f32],
        step: Step<'_>,
        tokens: usize,
    ) -> Result<Vec<f32>, LlamaError> {
        let len = tokens * self.outline.config.hidden_size;
        self.gpu.write_f32(&buffers.hidden, 0, &hidden[..len]);
        step.submit()?;
        let mut output = self.gpu.read_f32(&buffers.hidden).await?;
        output.truncate(len);
        Ok(output)
    }

    /// Decodes a token through the layer so many times in one submit, and waits for the last.
    pub async fn decode(&self, attempt: &Attempt, times: usize) -> Result<(), LlamaError> {
        let Attempt { buffers, plans, .. } = attempt;
        let params = self.params(attempt, READ, 1);
        let step = (0..times).fold(self.step_of_one(attempt, &params), |step, _| step.run(&plans.decode));
        step.submit_and_read(&buffers.hidden, 0, 1)?.words(&self.gpu).await?;
        Ok(())
    }

    /// Reads [`Trial::TOKENS`] at once through the layer so many times in one submit, and waits for the last.
    pub async fn prefill(&self, attempt: &Attempt, times: usize) -> Result<(), LlamaError> {
        let Attempt { buffers, plans, .. } = attempt;
        let params = self.params(attempt, 0, TOKENS);
        let step = self.gpu.step(params.seq_len, &params);
        let step = (0..times).fold(step, |step, _| step.run(&plans.prefill));
        step.submit_and_read(&buffers.hidden, 0, 1)?.words(&self.gpu).await?;
        Ok(())
    }

    /// Gives up a device that does not answer. To close one natively is to wait for it, so it is left open there.
    pub fn abandon(self) {
        self.gpu.destroy();
        std::mem::forget(self);
    }

    /// Fills the matrices on the device, and the norms from here.
    async fn make_up(&self) -> Result<(), LlamaError> {
        let Trial { gpu, layer, .. } = self;
        let mut plan = gpu.plan();
        for (seed, matrix) in (1..).step_by(1 << 24).zip(layer.matrices()) {
            matrix.made_up(&mut plan, seed);
        }
        let plan = plan.finish().await?;
        gpu.step(1, &StepParams::default()).run(&plan).submit()?;
        for (seed, gain) in (2..).zip([&layer.input_layernorm, &layer.post_attention_layernorm]) {
            let gains: Vec<f32> = made_up(seed, gain.shape()[1]).iter().map(|x| 1.0 + 0.5 * x).collect();
            gpu.write_f32(gain, 0, &gains);
        }
        Ok(())
    }

    /// Of a step, whose turns are uploaded.
    fn params(&self, attempt: &Attempt, position: usize, seq_len: usize) -> StepParams {
        let (position, seq_len) = (position as u32, seq_len as u32);
        self.gpu.write_f32(&attempt.buffers.turns, 0, &self.rope.turns(position, seq_len));
        let split_len = attempt.splits.map_or(0, |splits| splits.len);
        StepParams { position, seq_len, row: seq_len - 1, split_len, ..StepParams::default() }
    }

    fn step_of_one(&self, attempt: &Attempt, params: &StepParams) -> Step<'_> {
        self.gpu.step(1, params).splits(attempt.splits.map_or(0, |splits| splits.workgroups))
    }
}

/// Numbers in -1..1, by a linear congruential generator with the constants of Numerical Recipes.
fn made_up(seed: u32, len: usize) -> Vec<f32> {
    let next = |word: &u32| Some(word.wrapping_mul(1_664_525).wrapping_add(1_013_904_223));
    let words = std::iter::successors(next(&seed), next);
    words.map(|word| word as f32 / 2f32.powi(31) - 1.0).take(len).collect()
}

#[cfg(test)]
mod tests;
