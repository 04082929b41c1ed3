//! The generation loop: prefill what is new, then decode, some steps ahead of what has been read back.

mod ahead;
mod measure;
mod run;

use chat::ToolCallParser;
use format::Sampling;
use protocol::{Conversation, FinishReason, GenerateOptions, LogProbs, ToolCall, ToolEvent, Usage};
use web_time::Instant;

use crate::backend::Pending;
use crate::sampling::settle;
use crate::speculation::Speculation;
use crate::{Engine, EngineError, Speculate, StopFlag};
use ahead::Ahead;
use run::{Ends, Run};

/// What happens while an answer is made.
#[derive(Clone, Debug, PartialEq)]
pub enum GenerateEvent {
    /// Part of the prompt has been read.
    Prefill {
        /// Tokens read, those reused included.
        done: u32,
        /// Tokens of the prompt.
        total: u32,
    },
    /// A token was generated.
    Text {
        /// The characters that it completes; maybe none.
        text: String,
        /// Figures so far.
        usage: Usage,
    },
    /// The log-probabilities of a token, if they were asked for; its text follows.
    LogProbs(LogProbs),
    /// The model wants a tool to be run. Never [`ToolEvent::Text`].
    Tool(ToolEvent),
}

/// A finished answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// Generated ids, the one that ended the turn included.
    pub ids: Vec<u32>,
    /// Their text, without control tokens and without what a tool is to get.
    pub text: String,
    /// The tools that the model has called, if it was given any.
    pub calls: Vec<ToolCall>,
    /// The log-probabilities of each id, if they were asked for.
    pub logprobs: Vec<LogProbs>,
    /// Why it ended.
    pub reason: FinishReason,
    /// Final figures.
    pub usage: Usage,
}

impl Engine {
    /// Answers the last message of a conversation. If it has tools, their calls are told apart from the text.
    /// How tokens are drawn is as the model's makers want it where the options do not say.
    pub async fn chat(
        &mut self,
        conversation: &Conversation,
        options: &GenerateOptions,
        stop: &StopFlag,
        on_event: &mut dyn FnMut(GenerateEvent),
    ) -> Result<Answer, EngineError> {
        let prompt = self.render_turn(conversation)?;
        let calls = self.call_parser(conversation);
        let options = GenerateOptions { sampling: self.with_makers(&options.sampling), ..options.clone() };
        self.answer(&prompt.ids, calls, &options, stop, on_event).await
    }

    /// Continues `prompt` with text.
    pub async fn generate(
        &mut self,
        prompt: &[u32],
        options: &GenerateOptions,
        stop: &StopFlag,
        on_event: &mut dyn FnMut(GenerateEvent),
    ) -> Result<Answer, EngineError> {
        self.answer(prompt, None, options, stop, on_event).await
    }

    /// Continues `prompt` with text and, if there is a parser for them, with calls of tools.
    pub async fn answer(
        &mut self,
        prompt: &[u32],
        calls: Option<ToolCallParser>,
        options: &GenerateOptions,
        stop: &StopFlag,
        on_event: &mut dyn FnMut(GenerateEvent),
    ) -> Result<Answer, EngineError> {
        self.check(prompt)?;
        let sampling = settle(&options.sampling, self.vocab_size)?;
        let room = self.backend.context() - prompt.len();
        let limit = options.max_tokens.map_or(room, |most| room.min(most as usize));
        let mut run = Run::new(prompt, sampling, limit, Ends::WithTheTurn, calls);
        if limit == 0 {
            // Nothing is read, so the cache stays what it is.
            return Ok(run.answer(FinishReason::MaxTokens));
        }
        let ended = self.run(&mut run, prompt, stop, on_event).await;
        // Steps that ran ahead are forgotten, whatever ended the loop; so is what a failed step left behind.
        self.cached = [prompt, &run.ids].concat();
        self.backend.rewind(if ended.is_ok() { self.cached.len() } else { 0 });
        self.cached.truncate(self.backend.position());
        let reason = match ended? {
            FinishReason::MaxTokens if run.ids.len() == room => FinishReason::ContextFull,
            reason => reason,
        };
        Ok(run.answer(reason))
    }

    /// Reads what every conversation begins with, so that the first question waits for its own tokens only. Ends after the
    /// step in hand once it is stopped, and does nothing if it was stopped before.
    pub async fn read_beginning(&mut self, stop: &StopFlag) -> Result<(), EngineError> {
        let beginning = self.beginning()?;
        if beginning.is_empty() || stop.is_set() { Ok(()) } else { self.read(&beginning, stop).await }
    }

    /// Reads `ids`, and leaves what is chosen after them.
    pub(crate) async fn read(&mut self, ids: &[u32], stop: &StopFlag) -> Result<(), EngineError> {
        self.check(ids)?;
        let mut run = Run::new(ids, Sampling::default(), 1, Ends::WithTheTurn, None);
        let read = match self.prefill(&mut run, ids, stop, &mut |_| {}).await {
            Ok(Some(pending)) => self.backend.wait(pending).await.map(drop),
            Ok(None) => Ok(()),
            Err(error) => Err(error),
        };
        self.cached = ids.to_vec();
        self.backend.rewind(if read.is_ok() { self.cached.len() } else { 0 });
        self.cached.truncate(self.backend.position());
        read
    }

    async fn run(
        &mut self,
        run: &mut Run,
        prompt: &[u32],
        stop: &StopFlag,
        on_event: &mut dyn FnMut(GenerateEvent),
    ) -> Result<FinishReason, EngineError> {
        if run.limit == 0 {
            return Ok(FinishReason::MaxTokens);
        }
        let Some(first) = self.prefill(run, prompt, stop, on_event).await? else {
            return Ok(FinishReason::Stopped);
        };
        let mut ahead = Ahead::new(prompt, first);
        let tokenizer = self.tokenizer.clone();
        let mut stream = tokenizer.stream();
        while let Some(chosen) = self.next(run, &mut ahead, stop).await? {
            let id = chosen.id;
            run.take(chosen, &mut stream, on_event);
            if run.ends == Ends::WithTheTurn && tokenizer.stop_ids().contains(&id) {
                run.flush(&mut stream, on_event);
                return Ok(run.end_of_turn());
            }
            stop.breathe().await;
            if stop.is_set() {
                run.flush(&mut stream, on_event);
                return Ok(FinishReason::Stopped);
            }
        }
        run.flush(&mut stream, on_event);
        Ok(FinishReason::MaxTokens)
    }

    /// Reads the prompt from where the cache stops agreeing with it. `None` if stopped on the way.
    async fn prefill(
        &mut self,
        run: &mut Run,
        prompt: &[u32],
        stop: &StopFlag,
        on_event: &mut dyn FnMut(GenerateEvent),
    ) -> Result<Option<Pending>, EngineError> {
        let common = self.cached.iter().zip(prompt).take_while(|(cached, id)| cached == id).count();
        // The last token is read again in any case: its logits are wanted.
        let reused = common.min(prompt.len() - 1);
        if reused < self.cached.len() {
            self.speculation.begin_conversation();
        }
        self.backend.rewind(reused);
        // What comes behind is overwritten from here on, even if nobody waits for the end.
        self.cached.truncate(reused);
        self.backend.choose_by(&run.sampling, &prompt[..reused]).await?;
        run.usage.reused_tokens = reused as u32;
        let mut done = reused;
        let pace = self.backend.pace();
        loop {
            let started = Instant::now();
            let chunk = self.prefill_chunk.unwrap_or(pace.unit).min(self.backend.chunk());
            let next = prompt.len().min(done + chunk);
            let ids = &prompt[done..next];
            if next == prompt.len() {
                return Ok(Some(self.backend.prefill(ids).await?));
            }
            self.backend.read(ids).await?;
            done = next;
            on_event(GenerateEvent::Prefill { done: done as u32, total: prompt.len() as u32 });
            stop.breathe().await;
            if stop.is_set() {
                return Ok(None);
            }
            self.prefill_chunk = Some(pace.next_chunk(chunk, started.elapsed().as_secs_f64()));
        }
    }

    /// Asks for so many steps to be under way on a GPU before their tokens are read, at most 16; 2 unless this is called.
    /// More of them hide a slower way back, and are computed in vain where an answer ends. Which tokens come does not
    /// depend on it.
    pub fn keep_in_flight(&mut self, steps: usize) {
        self.steps_in_flight = Some(steps);
    }

    /// Says whether tokens are guessed ahead from now on. Which tokens come does not depend on it.
    pub fn speculate(&mut self, speculate: Speculate) {
        self.speculation = Speculation::new(speculate);
    }
}
