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
        let mut plan = gpu.plan();
        prefill(&mut plan, MatmulForm::of_many(gpu), config, layer, cache, buffers);
        let prefill = plan.finish().await?;

        let gain = &layer.input_layernorm;
        let mut plan = gpu.plan();
        weigh(&mut plan, gain, buffers.stream());
        let enter = plan.finish().await?;

        let mut plan = gpu.plan();
        decode(&mut plan, Decoded::All, config, layer, gain, cache, buffers);
        Ok(LayerPlans { prefill, enter, decode: plan.finish().await? })
    }
}
