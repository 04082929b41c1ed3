//! What comes next: choices that are here, those that are on their way, and steps that check guesses.

use std::collections::VecDeque;

use llama::Chosen;
use web_time::Instant;

use super::run::Run;
use crate::backend::Pending;
use crate::{Engine, EngineError, Speculate, StopFlag};

/// What of an answer has been asked of the device.
pub(super) struct Ahead {
    /// The prompt, and every id that was chosen since.
    ids: Vec<u32>,
    /// Choices that nobody has taken yet.
    here: VecDeque<Chosen>,
    in_flight: VecDeque<Pending>,
    /// Choices that were asked for, those taken among them.
    issued: usize,
    /// When the last step's choices came.
    arrived: Option<Instant>,
}

impl Ahead {
    pub(super) fn new(prompt: &[u32], first: Pending) -> Ahead {
        let in_flight = VecDeque::from([first]);
        Ahead { ids: prompt.to_vec(), here: VecDeque::new(), in_flight, issued: 1, arrived: None }
    }

    /// Notes that choices have come, and gives the seconds since the last ones did; none for the first, which waited for
    /// the prompt to be read.
    fn arrive(&mut self, choices: impl IntoIterator<Item = Chosen>) -> Option<f64> {
        for chosen in choices {
            self.ids.push(chosen.id);
            self.here.push_back(chosen);
        }
        let now = Instant::now();
        let last = self.arrived.replace(now);
        last.map(|last| now.duration_since(last).as_secs_f64())
    }
}

impl Engine {
    /// The next choice; none if there have been as many as the limit allows.
    pub(super) async fn next(
        &mut self,
        run: &mut Run,
        ahead: &mut Ahead,
        stop: &StopFlag,
    ) -> Result<Option<Chosen>, EngineError> {
        if ahead.here.is_empty() {
            let most = run.limit.saturating_sub(ahead.issued + 1).min(self.backend.most_guesses());
            let len = self.speculation.len(most);
            let most = self.backend.steps_in_flight(self.steps_in_flight);
            if !ahead.in_flight.is_empty() {
                // A guess has to wait until nothing is under way.
                let most = if self.has_guess(&ahead.ids, len) { 1 } else { most };
                self.decode(run, ahead, most).await?;
            } else {
                match self.guess_ahead(ahead, len, stop).await {
                    guess if guess.is_empty() => self.decode(run, ahead, most).await?,
                    guess => self.check_guess(run, ahead, &guess).await?,
                }
            }
        }
        Ok(ahead.here.pop_front())
    }

    /// A guess that can be checked, if there is one. What the draft has to read before its first one would make that look
    /// slow, and so would kernels that are compiled for it.
    async fn guess_ahead(&mut self, ahead: &mut Ahead, len: usize, stop: &StopFlag) -> Vec<u32> {
        if self.catch_up(&ahead.ids, len, stop).await {
            ahead.arrive([]);
        }
        let guess = self.guess(&ahead.ids, len, stop).await;
        if guess.is_empty() {
            return guess;
        }
        match self.backend.prepare_to_check().await {
            Ok(was_made) => {
                if was_made {
                    ahead.arrive([]);
                }
                guess
            }
            // Without room for what checks them there are no guesses; if it is the device that is gone, the next step says so.
            Err(_) => {
                self.speculate(Speculate::Never);
                Vec::new()
            }
        }
    }

    /// Waits for the oldest step, with others under way behind it, `most` together.
    async fn decode(&mut self, run: &Run, ahead: &mut Ahead, most: usize) -> Result<(), EngineError> {
        while ahead.in_flight.len() < most && ahead.issued < run.limit {
            ahead.in_flight.push_back(self.backend.decode().await?);
            ahead.issued += 1;
        }
        let Some(oldest) = ahead.in_flight.pop_front() else { return Ok(()) };
        let chosen = self.backend.wait(oldest).await?;
        if let Some(seconds) = ahead.arrive([chosen]) {
            self.speculation.note_token(seconds);
        }
        Ok(())
    }

    async fn check_guess(
        &mut self,
        run: &mut Run,
        ahead: &mut Ahead,
        guess: &[u32],
    ) -> Result<(), EngineError> {
        let Some(last) = ahead.ids.last().copied() else { return Ok(()) };
        let choices = self.backend.check(last, guess).await?;
        let tokens = choices.len();
        ahead.issued += tokens;
        run.usage.guessed_tokens += tokens.saturating_sub(1) as u32;
        if let Some(seconds) = ahead.arrive(choices) {
            self.speculation.note_checked(guess.len(), tokens, seconds);
        }
        Ok(())
    }
}
