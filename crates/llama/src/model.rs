//! A loaded model: steps in, ids out.

mod each;
#[cfg(test)]
mod far_end;
mod measure;

use format::{Config, Sampling};
use gpu::{Gpu, Limits, Pause, Receipt, Step};
use kernels::{KvCache, KvType, RopeTable, StepParams};

use crate::plans::{Activations, Each, Plans, RING, heads, splits};
use crate::sampler::{Sampler, Way};
use crate::{Forward, LlamaError, Vacancy, Weights};

/// What is chosen when a model is put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Tokens that the KV cache holds.
    pub context: usize,
    /// Most tokens that one step takes.
    pub chunk: usize,
    /// How the KV cache is stored.
    pub kv: KvType,
}

impl Options {
    /// Fails if a model of these dimensions cannot run like this. Costs nothing, so it comes before any download too.
    pub fn check(&self, config: &Config) -> Result<(), LlamaError> {
        let most = config.max_position_embeddings;
        if self.context > most || self.context == 0 {
            return Err(LlamaError::Context { asked: self.context, most });
        }
        if !config.head_dim.is_multiple_of(4) || config.head_dim > 256 {
            return Err(LlamaError::HeadDim { found: config.head_dim });
        }
        Ok(())
    }

    /// Fails if the device can't hold the KV cache of so many tokens; says how many it can.
    pub fn check_device(&self, config: &Config, limits: Limits) -> Result<(), LlamaError> {
        self.check_most(KvCache::positions_in(limits.binding_bytes, heads(config), self.kv))
    }

    /// Fails if the context is longer than the `most` that there is room for.
    pub fn check_most(&self, most: usize) -> Result<(), LlamaError> {
        match self.context > most {
            true => Err(LlamaError::ContextTooLong { asked: self.context, most }),
            false => Ok(()),
        }
    }
}

/// Bytes of the keys and values of one token in every layer.
pub fn kv_bytes_per_token(config: &Config, kv: KvType) -> u64 {
    config.num_hidden_layers as u64 * KvCache::bytes_per_position(heads(config), kv)
}

/// A model on its device. A step is handed over and not waited for; only [`Receipt`]s are.
#[derive(Debug)]
pub struct Model {
    gpu: Gpu,
    config: Config,
    options: Options,
    rope: RopeTable,
    weights: Weights,
    caches: Vec<KvCache>,
    buffers: Activations,
    plans: Plans,
    each: Option<Each>,
    sampler: Option<Sampler>,
    way: Way,
    position: usize,
    next_slot: usize,
}

impl Model {
    /// Moves into the room that was made for it, whose weights have all come. `forward` is that room's; where columns turn
    /// out to be in an order of their own, it is made anew.
    pub async fn new(mut vacancy: Vacancy, mut forward: Forward) -> Result<Model, LlamaError> {
        if vacancy.weights.settle_orders(&vacancy.gpu).await? {
            // Its memory is needed for the new one.
            drop(forward);
            forward = vacancy.forward(&Sampling::default()).await?;
        }
        let Vacancy { gpu, config, options, weights, caches } = vacancy;
        let Forward { buffers, plans, sampler } = forward;
        let rope = RopeTable::new(config.head_dim, config.rope_theta, weights.rope_freqs.take().as_deref());
        Ok(Model {
            gpu,
            config,
            options,
            rope,
            weights,
            caches,
            buffers,
            plans,
            each: None,
            sampler,
            way: Way::default(),
            position: 0,
            next_slot: 0,
        })
    }

    /// The device it is on.
    pub fn gpu(&self) -> &Gpu {
        &self.gpu
    }

    /// Has a browser nudged while something is on its way back: see [`Gpu::nudge_after`].
    pub fn nudge_after(&mut self, pause: Pause) {
        self.gpu.nudge_after(pause);
    }

    /// Its dimensions.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Tokens that the KV cache holds.
    pub fn context(&self) -> usize {
        self.options.context
    }

    /// Most tokens that [`Model::prefill_and_choose`] takes.
    pub fn chunk(&self) -> usize {
        self.options.chunk
    }

    /// Bytes of weights on the device.
    pub fn weight_bytes(&self) -> u64 {
        self.weights.bytes()
    }

    /// Bytes of weights and KV cache on the device.
    pub fn device_bytes(&self) -> u64 {
        self.weight_bytes() + self.caches.iter().map(KvCache::bytes).sum::<u64>()
    }

    /// Tokens in the KV cache.
    pub fn position(&self) -> usize {
        self.position
    }

    /// Forgets all tokens from `position` on. What lies there in the cache is masked and later overwritten.
    pub fn rewind(&mut self, position: usize) {
        self.position = self.position.min(position);
    }

    /// Says how ids are chosen from now on; until this is called, the likeliest is taken.
    /// `seen` are the ids in the KV cache, which penalties look at. Panics if they are not as many.
    pub async fn choose_by(&mut self, sampling: &Sampling, seen: &[u32]) -> Result<(), LlamaError> {
        assert_eq!(seen.len(), self.position, "choose_by: ids in the cache");
        let way = Way::new(sampling);
        if way != Way::default() {
            let sampler = match self.sampler.take() {
                Some(sampler) => sampler,
                None => Sampler::new(&self.gpu, self.options.context, &self.buffers).await?,
            };
            sampler.tensors.write(&self.gpu, sampling, seen);
            self.sampler = Some(sampler);
        }
        self.way = way;
        Ok(())
    }

    /// Reads `ids`, at most a chunk of them, into the KV cache. Nothing is chosen, so the head is not read: what comes back
    /// says only that it is done.
    /// Panics if there are none or too many, or if the context has no room: the caller counts.
    pub fn prefill(&mut self, ids: &[u32]) -> Result<Receipt, LlamaError> {
        let params = self.enter(ids);
        if let Some(sampler) = &self.sampler {
            sampler.tensors.remember(&self.gpu, self.position, ids);
        }
        let receipt = self.layers(&params).submit_and_read(&self.buffers.hidden, 0, 1)?;
        self.advance(ids.len());
        Ok(receipt)
    }

    /// Reads `ids`, at most a chunk of them, into the KV cache, and chooses the id that follows them.
    /// [`Chosen`](crate::Chosen) reads what comes back.
    /// Panics if there are none or too many, or if the context has no room: the caller counts.
    pub fn prefill_and_choose(&mut self, ids: &[u32]) -> Result<Receipt, LlamaError> {
        let params = self.enter(ids);
        let receipt = self.choose(self.body(&params))?;
        self.advance(ids.len());
        Ok(receipt)
    }

    /// Reads the id that the last step chose, which need not have left the GPU, and chooses the one that follows it.
    pub fn decode(&mut self) -> Result<Receipt, LlamaError> {
        let params = self.params(1);
        let receipt = self.choose(self.body(&params))?;
        self.advance(1);
        Ok(receipt)
    }

    /// Chooses an id after what a step has read, and has it sent back: 4 bytes, unless more was asked for.
    fn choose<'a>(&'a self, step: Step<'a>) -> Result<Receipt, LlamaError> {
        let Activations { sampled, .. } = &self.buffers;
        let (step, slot) = (step.run(&self.plans.head), self.next_slot);
        let Some(sampler) = &self.sampler else {
            return Ok(step.run(&self.plans.argmax).submit_and_read(sampled, slot, 1)?);
        };
        let step = sampler.choose(step, self.way, &self.plans.argmax);
        Ok(match self.way.log_probs {
            None => step.submit_and_read(sampled, slot, 1)?,
            Some(log_probs) => {
                let (offset, words) = Way::row(slot, log_probs);
                step.submit_and_read(&sampler.tensors.log_probs, offset, words)?
            }
        })
    }

    /// The logits that the last choice of a prefill or a decode was made from: `[vocab_size]`.
    pub async fn logits(&self) -> Result<Vec<f32>, LlamaError> {
        Ok(self.gpu.read_f32(&self.buffers.logits).await?)
    }

    /// Uploads what a step over `ids` needs.
    fn enter(&self, ids: &[u32]) -> StepParams {
        assert!(!ids.is_empty() && ids.len() <= self.options.chunk, "prefill: {} ids", ids.len());
        self.gpu.write(&self.buffers.tokens, 0, ids);
        self.params(ids.len())
    }

    fn params(&self, seq_len: usize) -> StepParams {
        let end = self.position + seq_len;
        assert!(end <= self.options.context, "position {end} of {}", self.options.context);
        let split_len = splits(&self.gpu, &self.config, end).map_or(0, |splits| splits.len);
        let (position, seq_len) = (self.position as u32, seq_len as u32);
        self.gpu.write_f32(&self.buffers.turns, 0, &self.rope.turns(position, seq_len));
        StepParams { position, seq_len, row: seq_len - 1, slot: self.next_slot as u32, split_len }
    }

    /// A step through all layers, and what the head wants to know of the last token.
    fn body(&self, params: &StepParams) -> Step<'_> {
        let step = self.layers(params);
        if params.seq_len == 1 { step } else { step.run(&self.plans.wanted) }
    }

    fn layers(&self, params: &StepParams) -> Step<'_> {
        let step = self.gpu.step(params.seq_len, params);
        if params.seq_len > 1 {
            return step.run(&self.plans.prefill);
        }
        match splits(&self.gpu, &self.config, params.position as usize + 1) {
            Some(splits) => step.splits(splits.workgroups).run(&self.plans.decode),
            None => step.run(&self.plans.decode),
        }
    }

    fn advance(&mut self, tokens: usize) {
        self.position += tokens;
        self.next_slot = (self.next_slot + 1) % RING;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_context_that_does_not_fit_is_refused_with_the_one_that_would() {
        // A head of Llama 3.1 8B has 128 values: 256 bytes of keys a token in halves, 144 in bytes with scales.
        let check = |context, kv, binding_bytes| {
            let limits = Limits { binding_bytes, workgroups: 65_535 };
            Options { context, chunk: 128, kv }.check_device(&Config::LLAMA_3_1_8B, limits)
        };
        // WebGPU's least holds all that the model has.
        for kv in KvType::ALL {
            assert_eq!(check(131_072, kv, 128 << 20), Ok(()), "{kv:?}");
        }
        let refused = |asked, most| Err(LlamaError::ContextTooLong { asked, most });
        assert_eq!(check(65_536, KvType::F16, 16 << 20), Ok(()));
        assert_eq!(check(65_537, KvType::F16, 16 << 20), refused(65_537, 65_536));
        assert_eq!(check(131_072, KvType::F32, 16 << 20), refused(131_072, 32_768));
        assert_eq!(check(131_072, KvType::I8, 16 << 20), refused(131_072, 116_480));
    }
}
