//! What a step takes that wants to know the logits after each of its tokens.

use format::Config;
use gpu::{Allocator, Gpu, GpuError, Plan, Tensor};
use kernels::{KvCache, MatmulForm, Output, argmax_each, rms_norm};

use super::{Activations, layers};
use crate::weights::Weights;

/// Logits after every token of a step, for those who measure and those who guess. Made when it is first asked for.
#[derive(Debug)]
pub(crate) struct Each {
    pub(crate) logits: Tensor,  // [EACH, vocab_size]
    pub(crate) choices: Tensor, // [1, EACH]
    pub(crate) head: Plan,
    /// The id of the highest after each.
    pub(crate) argmax: Plan,
    /// The layers and the head for at most [`FEW`] tokens, if the device has a way of its own for so few.
    pub(crate) few: Option<[Plan; 2]>,
}

/// Most tokens whose logits are computed in one step: 16 MB of them for a vocabulary of 128,256.
pub(crate) const EACH: usize = 32;

impl Each {
    pub(crate) async fn new(
        gpu: &Gpu,
        config: &Config,
        weights: &Weights,
        caches: &[KvCache],
        buffers: &Activations,
    ) -> Result<Each, GpuError> {
        let rows = EACH.min(buffers.hidden.shape()[0]);
        let make = |make: &Allocator| {
            Ok((make.tensor("logits", [rows, config.vocab_size])?, make.tensor("choices", [1, rows])?))
        };
        let (logits, choices) = gpu.allocate("the logits", make).await?;
        let (many, few) = (MatmulForm::of_many(gpu), MatmulForm::of_few(gpu));
        let head = |form| {
            let mut plan = gpu.plan();
            let eps = config.rms_norm_eps;
            rms_norm(&mut plan, &buffers.hidden, &weights.norm, eps, &buffers.normed);
            let output = Output::Columns(0);
            weights.head().product(&mut plan, form, &buffers.normed, &buffers.prepared, output, &logits);
            plan.finish()
        };
        let few = if few == many {
            None
        } else {
            Some([layers(gpu, few, config, weights, caches, buffers).await?, head(few).await?])
        };
        let head = head(many).await?;
        let mut plan = gpu.plan();
        argmax_each(&mut plan, &logits, &choices);
        let argmax = plan.finish().await?;
        Ok(Each { logits, choices, head, argmax, few })
    }
}
