//! The same for those who measure: whole prompts into an empty context, whatever the model says.

use format::Sampling;
use protocol::Usage;
use web_time::Instant;

use super::Answer;
use super::run::{Ends, Run};
use crate::backend::Backend;
use crate::speculation::Speculation;
use crate::{Engine, EngineError, Speculate, StopFlag};

impl Engine {
    /// Reads `prompt` into an empty context and generates `tokens` more, past any end of the turn: for measuring.
    pub async fn measure(
        &mut self,
        prompt: &[u32],
        tokens: usize,
        speculate: Speculate,
    ) -> Result<Usage, EngineError> {
        Ok(self.past_the_turn(prompt, tokens, speculate, &StopFlag::default()).await?.usage)
    }

    /// The same, with all that came of it, and to be stopped between two tokens.
    pub(crate) async fn past_the_turn(
        &mut self,
        prompt: &[u32],
        tokens: usize,
        speculate: Speculate,
        stop: &StopFlag,
    ) -> Result<Answer, EngineError> {
        self.check(prompt)?;
        self.cached.clear();
        let before = std::mem::replace(&mut self.speculation, Speculation::new(speculate));
        let room = self.backend.context() - prompt.len();
        let mut run = Run::new(prompt, Sampling::default(), tokens.min(room), Ends::AtTheLimit, None);
        let ended = self.run(&mut run, prompt, stop, &mut |_| {}).await;
        self.speculation = before;
        Ok(run.answer(ended?))
    }

    /// Seconds that the matrix products of `tokens` tokens take by themselves on a GPU, from an empty context; none on the
    /// CPU, which waits for nothing else.
    pub async fn measure_products(&mut self, tokens: usize) -> Result<Option<f64>, EngineError> {
        self.cached.clear();
        let Backend::Gpu(model) = &mut self.backend else { return Ok(None) };
        // The first run compiles what the second measures.
        model.run_products(1).await?;
        let started = Instant::now();
        model.run_products(tokens).await?;
        Ok(Some(started.elapsed().as_secs_f64()))
    }

    /// The choice after each of `ids`, and the logits after the last, from an empty context.
    pub async fn logits(&mut self, ids: &[u32]) -> Result<(Vec<f32>, Vec<u32>), EngineError> {
        let read = self.logits_in_steps(ids, self.backend.each(), &StopFlag::default()).await?;
        // A flag that nobody else holds is never set.
        Ok(read.unwrap_or_default())
    }

    /// The same with `step` ids at a time, at most [`Backend::each`]: one by one they are decoded, else prefilled.
    /// `None` if it was stopped.
    pub(crate) async fn logits_in_steps(
        &mut self,
        ids: &[u32],
        step: usize,
        stop: &StopFlag,
    ) -> Result<Option<(Vec<f32>, Vec<u32>)>, EngineError> {
        self.check(ids)?;
        self.cached.clear();
        self.backend.rewind(0);
        let total = ids.len();
        let (mut choices, mut logits) = (Vec::with_capacity(total), Vec::new());
        for ids in ids.chunks(step) {
            choices.extend(self.backend.choose_each(ids).await?);
            if choices.len() == total {
                logits = self.backend.logits_of(ids.len() - 1, self.vocab_size).await?;
            }
            stop.breathe().await;
            if stop.is_set() {
                return Ok(None);
            }
        }
        if choices.contains(&llama::NOT_A_NUMBER) {
            return Err(EngineError::NotANumber);
        }
        Ok(Some((logits, choices)))
    }

    /// Reads `ids` into an empty context, and gives `take` the logits after each of them from number `from` on:
    /// the number, and `[vocab_size]`.
    pub async fn each_logits(
        &mut self,
        ids: &[u32],
        from: usize,
        take: &mut dyn FnMut(usize, &[f32]),
    ) -> Result<(), EngineError> {
        self.check(ids)?;
        self.cached.clear();
        self.backend.rewind(0);
        let mut done = 0;
        for ids in ids.chunks(self.backend.each()) {
            self.backend.choose_each(ids).await?;
            for row in from.saturating_sub(done).min(ids.len())..ids.len() {
                take(done + row, &self.backend.logits_of(row, self.vocab_size).await?);
            }
            done += ids.len();
        }
        Ok(())
    }
}
