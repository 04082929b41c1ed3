//! One layer by itself, to try kernels on.

use format::Config;
use gpu::{Gpu, GpuError, Plan};
use kernels::{KvCache, MatmulForm, weigh};

use super::{Activations, Decoded, decode, prefill};
use crate::weights::LayerWeights;

/// What a layer runs, for many tokens and for one.
#[derive(Debug)]
pub(crate) struct LayerPlans {
    pub(crate) prefill: Plan,
    /// The same for a few of them, if the device has a way of its own for so few.
    pub(crate) few: Option<Plan>,
    /// What decoding wants to know of the residual stream that it begins with.
    pub(crate) enter: Plan,
    pub(crate) decode: Plan,
}

impl LayerPlans {
    /// By the kernels that the device is turned to.
    pub(crate) async fn new(
        gpu: &Gpu,
        config: &Config,
        layer: &LayerWeights,
        cache: &KvCache,
        buffers: &Activations,
    ) -> Result<LayerPlans, GpuError> {
        let read = |form| {
            let mut plan = gpu.plan();
            prefill(&mut plan, form, config, layer, cache, buffers);
            plan.finish()
        };
        let (many, few) = (MatmulForm::of_many(gpu), MatmulForm::of_few(gpu));
        let prefill = read(many).await?;
        let few = if few == many { None } else { Some(read(few).await?) };

        let gain = &layer.input_layernorm;
        let mut plan = gpu.plan();
        weigh(&mut plan, gain, buffers.stream());
        let enter = plan.finish().await?;

        let mut plan = gpu.plan();
        decode(&mut plan, Decoded::All, config, layer, gain, cache, buffers);
        Ok(LayerPlans { prefill, few, enter, decode: plan.finish().await? })
    }
}
