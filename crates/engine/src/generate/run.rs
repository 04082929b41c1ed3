//! An answer in the making: what its tokens say, and what that has cost so far.

use chat::{TextStream, ToolCallParser};
use format::Sampling;
use llama::Chosen;
use protocol::{FinishReason, LogProbs, ToolCall, ToolEvent, Usage};
use web_time::Instant;

use super::{Answer, GenerateEvent};
use crate::sampling::told;

/// When an answer is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ends {
    /// When the model says so, or at the limit.
    WithTheTurn,
    /// At the limit only.
    AtTheLimit,
}

/// An answer in the making.
pub(super) struct Run {
    pub(super) sampling: Sampling,
    pub(super) limit: usize,
    pub(super) ends: Ends,
    pub(super) ids: Vec<u32>,
    pub(super) usage: Usage,
    text: String,
    /// Tells calls from text, if the model was given tools.
    parser: Option<ToolCallParser>,
    calls: Vec<ToolCall>,
    logprobs: Vec<LogProbs>,
    started: Instant,
    first: Option<Instant>,
}

impl Run {
    pub(super) fn new(
        prompt: &[u32],
        sampling: Sampling,
        limit: usize,
        ends: Ends,
        parser: Option<ToolCallParser>,
    ) -> Run {
        let prompt_tokens = prompt.len() as u32;
        let seed = (!sampling.is_greedy()).then_some(sampling.seed);
        let usage = Usage { prompt_tokens, context_used: prompt_tokens, seed, ..Usage::default() };
        Run {
            sampling,
            limit,
            ends,
            ids: Vec::new(),
            usage,
            text: String::new(),
            parser,
            calls: Vec::new(),
            logprobs: Vec::new(),
            started: Instant::now(),
            first: None,
        }
    }

    /// Counts a token in, and tells what it says.
    pub(super) fn take(
        &mut self,
        chosen: Chosen,
        stream: &mut TextStream,
        on_event: &mut dyn FnMut(GenerateEvent),
    ) {
        let Chosen { id, log_probs } = chosen;
        self.count(id);
        if let Some(log_probs) = log_probs {
            let log_probs = told(id, &log_probs);
            self.logprobs.push(log_probs.clone());
            on_event(GenerateEvent::LogProbs(log_probs));
        }
        let text = stream.push(id);
        let said = match &mut self.parser {
            Some(parser) => parser.push(id, &text),
            None => vec![ToolEvent::Text { text }],
        };
        self.tell(said, on_event);
    }

    /// Tells what the stream and the parser still held back: half a character, or what could have become a call.
    pub(super) fn flush(&mut self, stream: &mut TextStream, on_event: &mut dyn FnMut(GenerateEvent)) {
        let text = stream.finish();
        let said = match &mut self.parser {
            Some(parser) => parser.finish(&text),
            None => vec![ToolEvent::Text { text }],
        };
        self.tell(said, on_event);
    }

    /// Why the model has ended its turn.
    pub(super) fn end_of_turn(&self) -> FinishReason {
        match self.parser.as_ref().is_some_and(ToolCallParser::wants_result) {
            true => FinishReason::ToolCalls,
            false => FinishReason::EndOfTurn,
        }
    }

    pub(super) fn answer(self, reason: FinishReason) -> Answer {
        let Run { ids, text, calls, logprobs, usage, .. } = self;
        Answer { ids, text, calls, logprobs, reason, usage }
    }

    fn count(&mut self, id: u32) {
        self.ids.push(id);
        let usage = &mut self.usage;
        usage.completion_tokens = self.ids.len() as u32;
        usage.context_used = usage.prompt_tokens + usage.completion_tokens;
        match self.first {
            None => {
                self.first = Some(Instant::now());
                usage.seconds_to_first_token = self.started.elapsed().as_secs_f64();
                let computed = f64::from(usage.prompt_tokens - usage.reused_tokens);
                usage.prefill_tokens_per_second = computed / usage.seconds_to_first_token.max(1e-9);
            }
            Some(first) => {
                let seconds = first.elapsed().as_secs_f64().max(1e-9);
                usage.decode_tokens_per_second = f64::from(usage.completion_tokens - 1) / seconds;
            }
        }
    }

    /// Every token tells some text, if only an empty one: figures come with it.
    fn tell(&mut self, said: Vec<ToolEvent>, on_event: &mut dyn FnMut(GenerateEvent)) {
        let usage = self.usage;
        let mut has_text = false;
        for event in said {
            match event {
                ToolEvent::Text { text } => {
                    has_text = true;
                    self.text.push_str(&text);
                    on_event(GenerateEvent::Text { text, usage });
                }
                ToolEvent::Call { call } => {
                    self.calls.push(call.clone());
                    on_event(GenerateEvent::Tool(ToolEvent::Call { call }));
                }
                ToolEvent::Malformed { text, reason } => {
                    self.text.push_str(&text);
                    on_event(GenerateEvent::Tool(ToolEvent::Malformed { text, reason }));
                }
                other => on_event(GenerateEvent::Tool(other)),
            }
        }
        if !has_text {
            on_event(GenerateEvent::Text { text: String::new(), usage });
        }
    }
}

#[cfg(test)]
mod tests;
