//! A model's place on its device, before its weights are there.
//!
//! What a header says is enough to make room and to compile kernels, so both are done before the bytes come or while they
//! do. Only an order of columns shows in the bytes themselves: [`Model::new`](crate::Model::new) then plans anew.

use format::{Checkpoint, Config, Sampling};
use gpu::{Allocator, Gpu};
use kernels::KvCache;

use crate::plans::{Activations, Columns, Plans, heads};
use crate::sampler::{Sampler, Way};
use crate::{LlamaError, Options, Weights};

/// Room for a model: its weights, which a [`Loader`](crate::Loader) fills in, and its KV cache.
#[derive(Debug)]
pub struct Vacancy {
    pub(crate) gpu: Gpu,
    pub(crate) config: Config,
    pub(crate) options: Options,
    pub(crate) weights: Weights,
    pub(crate) caches: Vec<KvCache>,
}

/// The forward pass over weights that may still be on their way: its kernels, compiled, and what they pass on.
#[derive(Debug)]
pub struct Forward {
    pub(crate) buffers: Activations,
    pub(crate) plans: Plans,
    pub(crate) sampler: Option<Sampler>,
}

impl Vacancy {
    /// Makes room on a device. Fails if it has not enough, or if the model cannot run like this.
    pub async fn new(gpu: Gpu, checkpoint: &Checkpoint, options: Options) -> Result<Vacancy, LlamaError> {
        let part_bytes = gpu.limits().binding_bytes;
        Vacancy::in_parts(gpu, checkpoint, options, part_bytes).await
    }

    /// The same with a KV cache in parts of at most `part_bytes`, which a device may bind more of.
    pub(crate) async fn in_parts(
        gpu: Gpu,
        checkpoint: &Checkpoint,
        options: Options,
        part_bytes: u64,
    ) -> Result<Vacancy, LlamaError> {
        let config = checkpoint.config;
        options.check(&config)?;
        options.check_device(&config, gpu.limits())?;
        let weights = Weights::allocate(&gpu, checkpoint).await?;
        let heads = heads(&config);
        let cache = |make: &Allocator| KvCache::new(make, heads, options.kv, options.context, part_bytes);
        let mut caches = Vec::with_capacity(config.num_hidden_layers);
        for _ in 0..config.num_hidden_layers {
            caches.push(gpu.allocate("the KV cache", cache).await?);
        }
        Ok(Vacancy { gpu, config, options, weights, caches })
    }

    /// The device that it is on.
    pub fn gpu(&self) -> &Gpu {
        &self.gpu
    }

    /// Makes the activations, and compiles the kernels, with those that choose tokens in the `usual` way. Others are compiled
    /// when they are asked for.
    pub async fn forward(&self, usual: &Sampling) -> Result<Forward, LlamaError> {
        let Vacancy { gpu, config, options, weights, caches } = self;
        let (ordered, rounded) = (weights.ordered_columns(), weights.rounded_columns(gpu));
        let columns = Columns { ordered, rounded };
        let make = |make: &Allocator| Activations::new(make, config, options.chunk, columns);
        let buffers = gpu.allocate("the activations", make).await?;
        let plans = Plans::new(gpu, config, weights, caches, &buffers).await?;
        let sampler = match Way::new(usual) == Way::default() {
            true => None,
            false => Some(Sampler::new(gpu, options.context, &buffers).await?),
        };
        Ok(Forward { buffers, plans, sampler })
    }
}
