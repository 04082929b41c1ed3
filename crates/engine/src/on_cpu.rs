//! A model on the CPU: by vector instructions, or by the reference.

use cpu::sampler;
use cpu::simd::Wanted;
use format::Sampling;
use llama::{Chosen, NOT_A_NUMBER};

use crate::EngineError;
use crate::far_layers::{self, FarLayers, Line};

/// Most tokens that a step takes: as many as the GPU's, for as many are read for one look at the weights.
const CHUNK: usize = 128;

/// Most tokens of the reference's steps, so that it can be stopped.
const REFERENCE_CHUNK: usize = 8;

/// Most tokens whose logits are computed at once: 16 MB of them for a vocabulary of 128,256.
const EACH: usize = 32;

/// A model, and what its last step left.
#[derive(Debug)]
pub struct OnCpu {
    model: Model,
    pub(crate) context: usize,
    /// Of the last step's tokens whose logits were computed: `[tokens, vocab_size]`.
    logits: Vec<f32>,
    sampling: Sampling,
    /// The ids in the cache.
    seen: Vec<u32>,
    /// The id that follows them, if one could be chosen.
    chosen: Option<u32>,
}

#[derive(Debug)]
enum Model {
    Simd(Box<cpu::simd::Model>, Option<FarLayers>),
    Reference(Box<cpu::Model>),
}

impl OnCpu {
    pub(crate) fn simd(model: cpu::simd::Model, context: usize) -> OnCpu {
        OnCpu::new(Model::Simd(Box::new(model), None), context)
    }

    pub(crate) fn reference(model: cpu::Model, context: usize) -> OnCpu {
        OnCpu::new(Model::Reference(Box::new(model)), context)
    }

    fn new(model: Model, context: usize) -> OnCpu {
        let (logits, seen) = (Vec::new(), Vec::new());
        OnCpu { model, context, logits, sampling: Sampling::default(), seen, chosen: None }
    }

    /// Whether it is the reference.
    pub fn is_reference(&self) -> bool {
        matches!(self.model, Model::Reference(_))
    }

    /// Bytes of weights that are held for computing; those of the reference don't count.
    pub fn weight_bytes(&self) -> u64 {
        match &self.model {
            Model::Simd(model, _) => model.weight_bytes(),
            Model::Reference(_) => 0,
        }
    }

    pub(crate) fn position(&self) -> usize {
        match &self.model {
            Model::Simd(model, _) => model.position(),
            Model::Reference(model) => model.position(),
        }
    }

    pub(crate) fn rewind(&mut self, position: usize) {
        match &mut self.model {
            Model::Simd(model, far) => {
                // Before each prompt it is asked for what is mostly so already.
                if position < model.position() {
                    model.rewind(position);
                    far.iter_mut().for_each(|far| far.rewind(position));
                }
            }
            Model::Reference(model) => model.rewind(position),
        }
        self.seen.truncate(position);
    }

    /// Says how ids are chosen from now on.
    pub(crate) fn choose_by(&mut self, sampling: &Sampling) {
        self.sampling = sampling.clone();
    }

    pub(crate) fn chunk(&self) -> usize {
        match self.model {
            Model::Simd(_, None) => CHUNK,
            Model::Simd(_, Some(_)) => far_layers::CHUNK,
            Model::Reference(_) => REFERENCE_CHUNK,
        }
    }

    /// Gives half of the layers to whoever is at the other end of the line, unless somebody has them.
    pub(crate) async fn share(&mut self, line: Box<dyn Line>) -> Result<(), EngineError> {
        if let Model::Simd(model, far @ None) = &mut self.model
            && let Some(half) = model.give_half()
        {
            *far = Some(FarLayers::hand_over(line, half).await?);
        }
        Ok(())
    }

    pub(crate) fn each(&self) -> usize {
        if self.is_reference() { 1 } else { EACH }
    }

    /// Reads `ids` without asking what follows them.
    pub(crate) async fn read(&mut self, ids: &[u32]) -> Result<(), EngineError> {
        match &mut self.model {
            Model::Simd(model, far) => drop(forward(model, far, ids, Wanted::Nothing).await?),
            Model::Reference(model) => ids.iter().for_each(|id| drop(model.forward(*id))),
        }
        self.seen.extend(ids);
        Ok(())
    }

    /// Reads `ids`, and chooses what follows them.
    pub(crate) async fn choose(&mut self, ids: &[u32]) -> Result<Chosen, EngineError> {
        self.logits = match &mut self.model {
            Model::Simd(model, far) => {
                let x = forward(model, far, ids, Wanted::Last).await?;
                model.logits(&x)
            }
            Model::Reference(model) => ids.iter().map(|id| model.forward(*id)).last().unwrap_or_default(),
        };
        self.seen.extend(ids);
        let chosen = self.choose_from(&self.logits);
        self.chosen = (chosen.id != NOT_A_NUMBER).then_some(chosen.id);
        Ok(chosen)
    }

    /// The choice that the settings make from the logits after all that was seen.
    fn choose_from(&self, logits: &[f32]) -> Chosen {
        let Some(id) = sampler::choose(logits, &self.sampling, &self.seen) else {
            return Chosen { id: NOT_A_NUMBER, log_probs: None };
        };
        let log_probs = self.sampling.log_probs.map(|top| sampler::log_probs(logits, id, top));
        Chosen { id, log_probs }
    }

    /// Reads what was chosen last, and chooses what follows it.
    pub(crate) async fn decode(&mut self) -> Result<Chosen, EngineError> {
        self.choose(&Vec::from_iter(self.chosen)).await
    }

    /// Reads what was chosen last and `guess` behind it, at most [`OnCpu::each`] together, and chooses after each of them,
    /// until the guess is another.
    pub(crate) async fn check(&mut self, guess: &[u32]) -> Result<Vec<Chosen>, EngineError> {
        let start = self.seen.len();
        let ids: Vec<u32> = self.chosen.into_iter().chain(guess.iter().copied()).collect();
        self.forward_each(&ids).await?;
        let logits = std::mem::take(&mut self.logits);
        let mut choices = Vec::with_capacity(ids.len());
        for (row, id) in logits.chunks_exact((logits.len() / ids.len().max(1)).max(1)).zip(&ids) {
            self.seen.push(*id);
            let chosen = self.choose_from(row);
            self.chosen = (chosen.id != NOT_A_NUMBER).then_some(chosen.id);
            let is_right = guess.get(choices.len()) == Some(&chosen.id);
            choices.push(chosen);
            if !is_right {
                break;
            }
        }
        self.rewind(start + choices.len());
        Ok(choices)
    }

    /// Reads `ids`, at most [`OnCpu::each`], and takes the likeliest after each of them.
    pub(crate) async fn choose_each(&mut self, ids: &[u32]) -> Result<Vec<u32>, EngineError> {
        self.forward_each(ids).await?;
        self.seen.extend(ids);
        let rows = self.logits.chunks_exact((self.logits.len() / ids.len().max(1)).max(1));
        Ok(rows.map(|logits| sampler::argmax(logits).unwrap_or(NOT_A_NUMBER)).collect())
    }

    /// Takes `ids`, and computes the logits after each of them.
    async fn forward_each(&mut self, ids: &[u32]) -> Result<(), EngineError> {
        self.logits = match &mut self.model {
            Model::Simd(model, far) => {
                let x = forward(model, far, ids, Wanted::Each).await?;
                model.logits(&x)
            }
            Model::Reference(model) => ids.iter().flat_map(|id| model.forward(*id)).collect(),
        };
        Ok(())
    }

    /// The logits after token `row` of those that were chosen after last, of `vocab_size` each.
    pub(crate) fn logits_of(&self, row: usize, vocab_size: usize) -> Vec<f32> {
        self.logits.chunks_exact(vocab_size).nth(row).unwrap_or_default().to_vec()
    }
}

/// The stream after all layers of those of `ids` that are wanted.
async fn forward(
    model: &mut cpu::simd::Model,
    far: &mut Option<FarLayers>,
    ids: &[u32],
    wanted: Wanted,
) -> Result<Vec<f32>, EngineError> {
    let x = model.forward(ids, wanted)?;
    match far {
        Some(far) => far.forward(&x, wanted).await,
        None => Ok(x),
    }
}
