//! Choices after each of several tokens in one step: for those who measure, and for those who guess.

use gpu::{Plan, Receipt};
use kernels::{FEW, sample_each};

use super::Model;
use crate::LlamaError;
use crate::plans::{EACH, Each};

impl Model {
    /// Whether [`Model::check`] chooses as a decode does: not where a choice depends on those before it, nor where something
    /// is to be told about it.
    pub fn can_check(&self) -> bool {
        self.way.can_be_checked()
    }

    /// Most tokens that [`Model::choose_each`] takes.
    pub fn each(&self) -> usize {
        EACH.min(self.options.chunk)
    }

    /// Reads `ids` as [`Model::prefill_and_choose`] does, and gives the likeliest id after each of them.
    /// Panics if there are more of them than [`Model::each`].
    pub async fn choose_each(&mut self, ids: &[u32]) -> Result<Vec<u32>, LlamaError> {
        self.prepare_each().await?;
        let Some(each) = &self.each else { return Ok(Vec::new()) };
        let receipt = self.read_each(ids, each, &each.argmax)?;
        self.position += ids.len();
        Ok(receipt.words(&self.gpu).await?)
    }

    /// Makes what [`Model::choose_each`] and [`Model::check`] need, if it is not there, and says whether that was so: nobody
    /// should wait for it in the middle of an answer.
    pub async fn prepare_each(&mut self) -> Result<bool, LlamaError> {
        let mut made = false;
        if self.each.is_none() {
            let (config, weights, buffers) = (&self.config, &self.weights, &self.buffers);
            self.each = Some(Each::new(&self.gpu, config, weights, &self.caches, buffers).await?);
            made = true;
        }
        if let (Some(each), Some(sampler), true) = (&self.each, &mut self.sampler, self.way.draws())
            && sampler.sample_each.is_none()
        {
            let mut plan = self.gpu.plan();
            sample_each(&mut plan, &each.logits, &sampler.tensors, &each.choices);
            sampler.sample_each = Some(plan.finish().await?);
            made = true;
        }
        Ok(made)
    }

    /// Reads `last`, which the last step chose, and `guess` behind it, at most [`Model::each`] together, and chooses after
    /// each of them as a decode does, up to the first choice that is another than was guessed. What was read behind that
    /// one is forgotten, and the next decode goes on from it. No receipt may be waited for.
    pub async fn check(&mut self, last: u32, guess: &[u32]) -> Result<Vec<u32>, LlamaError> {
        self.prepare_each().await?;
        let Some(each) = &self.each else { return Ok(Vec::new()) };
        let drawn = self.sampler.as_ref().and_then(|sampler| sampler.sample_each.as_ref());
        let choose = drawn.filter(|_| self.way.draws()).unwrap_or(&each.argmax);
        let receipt = self.read_each(&[&[last], guess].concat(), each, choose)?;
        let mut choices = receipt.words(&self.gpu).await?;
        let right = choices.iter().zip(guess).take_while(|(choice, guess)| choice == guess).count();
        choices.truncate(right + 1);
        self.position += choices.len();
        // A decode reads what lies here, where the GPU leaves its own choices.
        self.gpu.write(&self.buffers.tokens, 0, choices.get(right..).unwrap_or_default());
        Ok(choices)
    }

    /// A step over `ids` that has `choose` choose after each of them.
    fn read_each(&self, ids: &[u32], each: &Each, choose: &Plan) -> Result<Receipt, LlamaError> {
        assert!(ids.len() <= self.each(), "read_each: {} ids", ids.len());
        let params = self.enter(ids);
        let step = match &each.few {
            Some([layers, head]) if ids.len() <= FEW => {
                self.gpu.step(params.seq_len, &params).run(layers).run(head)
            }
            _ => self.layers(&params).run(&each.head),
        };
        Ok(step.run(choose).submit_and_read(&each.choices, 0, ids.len())?)
    }

    /// The logits after token `row` of the last [`Model::choose_each`]: `[vocab_size]`.
    pub async fn logits_of(&self, row: usize) -> Result<Vec<f32>, LlamaError> {
        let Some(each) = &self.each else { return Ok(Vec::new()) };
        let vocab_size = self.config.vocab_size;
        let words = self.gpu.read_words(&each.logits, row * vocab_size, vocab_size).await?;
        Ok(words.into_iter().map(f32::from_bits).collect())
    }
}
