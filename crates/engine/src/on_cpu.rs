//! A model on the CPU: by vector instructions, or by the reference.

use llama::NOT_A_NUMBER;

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
    /// What was chosen from the last of them.
    chosen: u32,
}

#[derive(Debug)]
enum Model {
    Simd(Box<cpu::simd::Model>),
    Reference(Box<cpu::Model>),
}

impl OnCpu {
    pub(crate) fn simd(model: cpu::simd::Model, context: usize) -> OnCpu {
        OnCpu { model: Model::Simd(Box::new(model)), context, logits: Vec::new(), chosen: NOT_A_NUMBER }
    }

    pub(crate) fn reference(model: cpu::Model, context: usize) -> OnCpu {
        OnCpu { model: Model::Reference(Box::new(model)), context, logits: Vec::new(), chosen: NOT_A_NUMBER }
    }

    /// Whether it is the reference.
    pub fn is_reference(&self) -> bool {
        matches!(self.model, Model::Reference(_))
    }

    /// Bytes of weights that are held for computing; those of the reference don't count.
    pub fn weight_bytes(&self) -> u64 {
        match &self.model {
            Model::Simd(model) => model.weight_bytes(),
            Model::Reference(_) => 0,
        }
    }

    pub(crate) fn position(&self) -> usize {
        match &self.model {
            Model::Simd(model) => model.position(),
            Model::Reference(model) => model.position(),
        }
    }

    pub(crate) fn rewind(&mut self, position: usize) {
        match &mut self.model {
            Model::Simd(model) => model.rewind(position),
            Model::Reference(model) => model.rewind(position),
        }
    }

    pub(crate) fn chunk(&self) -> usize {
        if self.is_reference() { REFERENCE_CHUNK } else { CHUNK }
    }

    pub(crate) fn each(&self) -> usize {
        if self.is_reference() { 1 } else { EACH }
    }

    /// Reads `ids` without asking what follows them.
    pub(crate) fn read(&mut self, ids: &[u32]) {
        match &mut self.model {
            Model::Simd(model) => drop(model.forward(ids)),
            Model::Reference(model) => ids.iter().for_each(|id| drop(model.forward(*id))),
        }
    }

    /// Reads `ids`, and chooses what follows them.
    pub(crate) fn choose(&mut self, ids: &[u32]) -> u32 {
        self.logits = match &mut self.model {
            Model::Simd(model) => {
                let x = model.forward(ids);
                model.logits(x.get(x.len() - model.config().hidden_size..).unwrap_or_default())
            }
            Model::Reference(model) => ids.iter().map(|id| model.forward(*id)).last().unwrap_or_default(),
        };
        self.chosen = argmax(&self.logits);
        self.chosen
    }

    /// Reads what was chosen last, and chooses what follows it.
    pub(crate) fn decode(&mut self) -> u32 {
        self.choose(&[self.chosen])
    }

    /// Reads `ids`, at most [`OnCpu::each`], and chooses after each of them.
    pub(crate) fn choose_each(&mut self, ids: &[u32]) -> Vec<u32> {
        self.logits = match &mut self.model {
            Model::Simd(model) => {
                let x = model.forward(ids);
                model.logits(&x)
            }
            Model::Reference(model) => ids.iter().flat_map(|id| model.forward(*id)).collect(),
        };
        self.logits.chunks_exact(self.logits.len() / ids.len().max(1)).map(argmax).collect()
    }

    /// The logits after token `row` of those that were chosen after last, of `vocab_size` each.
    pub(crate) fn logits_of(&self, row: usize, vocab_size: usize) -> Vec<f32> {
        self.logits.chunks_exact(vocab_size).nth(row).unwrap_or_default().to_vec()
    }
}

/// The lower of two equals, and not-a-number if any logit is none: as the GPU chooses.
fn argmax(logits: &[f32]) -> u32 {
    if logits.iter().any(|logit| logit.is_nan()) {
        return NOT_A_NUMBER;
    }
    let best = (0..).zip(logits).reduce(|best, next| if next.1 > best.1 { next } else { best });
    best.map_or(NOT_A_NUMBER, |(id, _)| id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cpu_chooses_as_the_gpu_does() {
        assert_eq!(argmax(&[1.0, 3.0, 3.0, 2.0]), 1);
        assert_eq!(argmax(&[f32::NEG_INFINITY; 3]), 0);
        assert_eq!(argmax(&[1.0, f32::NAN]), NOT_A_NUMBER);
    }
}
