//! What computes: the model on the GPU, or the reference on the CPU, behind the same few steps.

use format::Config;
use gpu::{Gpu, Receipt, Tier, TierChoice};
use llama::Options;
use protocol::Kernels;

use crate::EngineError;

/// Where to compute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Device {
    /// On the GPU, with these kernels.
    Gpu(TierChoice),
    /// On the CPU, in plain Rust.
    Reference,
}

/// A model in place.
#[derive(Debug)]
pub enum Backend {
    /// On the GPU.
    Gpu(Box<llama::Model>),
    /// On the CPU.
    Reference(Box<Reference>),
}

/// The reference model, and what its last step chose.
#[derive(Debug)]
pub struct Reference {
    model: cpu::Model,
    context: usize,
    logits: Vec<f32>,
}

/// A choice that is on its way.
#[derive(Debug)]
pub(crate) enum Pending {
    Gpu(Receipt),
    Ready(u32),
}

/// Weights in place, and the device they are on.
pub(crate) enum Weights {
    Gpu(Box<Gpu>, Box<llama::Weights>),
    Cpu(cpu::Weights),
}

impl Reference {
    fn read(&mut self, ids: &[u32]) -> u32 {
        for id in ids {
            self.logits = self.model.forward(*id);
        }
        argmax(&self.logits)
    }
}

impl Backend {
    /// Puts a model together.
    pub(crate) async fn new(
        weights: Weights,
        config: Config,
        options: Options,
    ) -> Result<Backend, EngineError> {
        match weights {
            Weights::Gpu(gpu, weights) => {
                let model = llama::Model::new(*gpu, config, *weights, options).await?;
                Ok(Backend::Gpu(Box::new(model)))
            }
            Weights::Cpu(weights) => {
                let (model, context) = (cpu::Model::new(config, weights), options.context);
                Ok(Backend::Reference(Box::new(Reference { model, context, logits: Vec::new() })))
            }
        }
    }

    /// The kernels in use.
    pub fn kernels(&self) -> Kernels {
        match self {
            Backend::Gpu(model) => match model.gpu().tier() {
                Tier::Subgroups { .. } => Kernels::Subgroups,
                Tier::Plain => Kernels::Plain,
            },
            Backend::Reference(_) => Kernels::Reference,
        }
    }

    /// Tokens that the KV cache holds.
    pub fn context(&self) -> usize {
        match self {
            Backend::Gpu(model) => model.context(),
            Backend::Reference(reference) => reference.context,
        }
    }

    pub(crate) fn position(&self) -> usize {
        match self {
            Backend::Gpu(model) => model.position(),
            Backend::Reference(reference) => reference.model.position(),
        }
    }

    pub(crate) fn rewind(&mut self, position: usize) {
        match self {
            Backend::Gpu(model) => model.rewind(position),
            Backend::Reference(reference) => reference.model.rewind(position),
        }
    }

    /// Most tokens that one step reads.
    pub(crate) fn chunk(&self) -> usize {
        match self {
            Backend::Gpu(model) => model.chunk(),
            Backend::Reference(_) => 8,
        }
    }

    /// Reads `ids`, at most a chunk, and chooses what follows them.
    pub(crate) fn prefill(&mut self, ids: &[u32]) -> Result<Pending, EngineError> {
        match self {
            Backend::Gpu(model) => Ok(Pending::Gpu(model.prefill_and_choose(ids)?)),
            Backend::Reference(reference) => Ok(Pending::Ready(reference.read(ids))),
        }
    }

    /// Reads what the last step chose, and chooses what follows it.
    pub(crate) fn decode(&mut self) -> Result<Pending, EngineError> {
        match self {
            Backend::Gpu(model) => Ok(Pending::Gpu(model.decode()?)),
            Backend::Reference(reference) => {
                let id = argmax(&reference.logits);
                Ok(Pending::Ready(reference.read(&[id])))
            }
        }
    }

    /// Waits for a choice.
    pub(crate) async fn wait(&self, pending: Pending) -> Result<u32, EngineError> {
        let id = match (self, pending) {
            (Backend::Gpu(model), Pending::Gpu(receipt)) => {
                receipt.words(model.gpu()).await?.first().copied().unwrap_or(llama::NOT_A_NUMBER)
            }
            (_, Pending::Ready(id)) => id,
            (Backend::Reference(_), Pending::Gpu(_)) => llama::NOT_A_NUMBER,
        };
        if id == llama::NOT_A_NUMBER { Err(EngineError::NotANumber) } else { Ok(id) }
    }

    /// Most tokens that [`Backend::choose_each`] takes.
    pub(crate) fn each(&self) -> usize {
        match self {
            Backend::Gpu(model) => model.each(),
            Backend::Reference(_) => 1,
        }
    }

    /// Reads `ids`, at most so many, and chooses after each of them.
    pub(crate) async fn choose_each(&mut self, ids: &[u32]) -> Result<Vec<u32>, EngineError> {
        match self {
            Backend::Gpu(model) => Ok(model.choose_each(ids).await?),
            Backend::Reference(reference) => Ok(ids.iter().map(|id| reference.read(&[*id])).collect()),
        }
    }

    /// The logits after token `row` of the last [`Backend::choose_each`]: `[vocab_size]`.
    pub(crate) async fn logits_of(&self, row: usize) -> Result<Vec<f32>, EngineError> {
        match self {
            Backend::Gpu(model) => Ok(model.logits_of(row).await?),
            // It takes one token at a time.
            Backend::Reference(reference) => Ok(reference.logits.clone()),
        }
    }
}

/// The lower of two equals, and not-a-number if any logit is none: as the GPU chooses.
fn argmax(logits: &[f32]) -> u32 {
    if logits.iter().any(|logit| logit.is_nan()) {
        return llama::NOT_A_NUMBER;
    }
    let best = (0..).zip(logits).reduce(|best, next| if next.1 > best.1 { next } else { best });
    best.map_or(llama::NOT_A_NUMBER, |(id, _)| id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_chooses_as_the_gpu_does() {
        assert_eq!(argmax(&[1.0, 3.0, 3.0, 2.0]), 1);
        assert_eq!(argmax(&[f32::NEG_INFINITY; 3]), 0);
        assert_eq!(argmax(&[1.0, f32::NAN]), llama::NOT_A_NUMBER);
    }
}
