//! Guessing tokens ahead: a step that checks some guesses takes less time than a step for each of them, so right ones are
//! won and wrong ones are lost. Which tokens come does not depend on it: only what the model itself would have chosen is
//! kept.

/// Whether tokens are guessed ahead.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Speculate {
    /// Never.
    Never,
    /// Until it is seen to lose time in a conversation.
    #[default]
    WhereFaster,
    /// Whenever there is a guess, for trying it out.
    Always,
}

/// Guesses at a time, at first: with the token before them they fill a group of the CPU's kernels.
const FEW: usize = 3;

/// Guesses at a time where all of the last ones were right; a larger group.
pub(crate) const MANY: usize = 7;

/// A conversation stops guessing when it has lost the time of so many tokens more than it had won.
const MOST_LOST: f64 = 8.0;

/// How much the last token's time counts in the mean.
const WEIGHT: f64 = 0.2;

/// How a conversation has fared with its guesses.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Speculation {
    speculate: Speculate,
    /// Tokens that are guessed next.
    len: usize,
    /// Seconds of a token that came by itself; none has been measured at first.
    token_seconds: Option<f64>,
    /// Lost to guesses and not won back, in the time of a token.
    lost: f64,
}

impl Speculation {
    pub(crate) fn new(speculate: Speculate) -> Speculation {
        Speculation { speculate, len: FEW, token_seconds: None, lost: 0.0 }
    }

    /// Forgets how guesses have fared, but not how long a token takes.
    pub(crate) fn begin_conversation(&mut self) {
        *self = Speculation { token_seconds: self.token_seconds, ..Speculation::new(self.speculate) };
    }

    /// How many tokens should be guessed now, of `most` that may be; none where guessing is off.
    pub(crate) fn len(&self, most: usize) -> usize {
        if self.is_on() { self.len.min(most) } else { 0 }
    }

    fn is_on(&self) -> bool {
        match self.speculate {
            Speculate::Never => false,
            // Without a measure there is no telling what a guess costs.
            Speculate::WhereFaster => self.token_seconds.is_some() && self.lost <= MOST_LOST,
            Speculate::Always => true,
        }
    }

    /// Notes the time of a token that came by itself.
    pub(crate) fn note_token(&mut self, seconds: f64) {
        let mean = self.token_seconds.get_or_insert(seconds);
        *mean += (seconds - *mean) * WEIGHT;
    }

    /// Notes that a step has checked `guessed` tokens, and given `tokens`.
    pub(crate) fn note_checked(&mut self, guessed: usize, tokens: usize, seconds: f64) {
        self.len = if tokens > guessed { MANY } else { FEW };
        let alone = self.token_seconds.unwrap_or(seconds).max(1e-9);
        // What was won long ago does not excuse what is lost now.
        self.lost = (self.lost + seconds / alone - tokens as f64).max(-MOST_LOST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(speculation: &Speculation, most: usize, expected: usize) {
        assert_eq!(speculation.len(most), expected, "{speculation:?}");
    }

    #[test]
    fn guesses_wait_for_a_measure_and_grow_with_luck() {
        let mut speculation = Speculation::new(Speculate::WhereFaster);
        check(&speculation, 9, 0);
        speculation.note_token(1.0);
        check(&speculation, 9, 3);
        check(&speculation, 2, 2);
        speculation.note_checked(3, 4, 2.0);
        check(&speculation, 9, 7);
        speculation.note_checked(7, 5, 4.0);
        check(&speculation, 9, 3);
        check(&Speculation::new(Speculate::Always), 9, 3);
        check(&Speculation::new(Speculate::Never), 9, 0);
    }

    #[test]
    fn a_conversation_that_loses_time_stops_guessing() {
        let mut speculation = Speculation::new(Speculate::WhereFaster);
        speculation.note_token(1.0);
        // Each costs 2 tokens' time more than it gives.
        for _ in 0..4 {
            speculation.note_checked(3, 1, 3.0);
            check(&speculation, 9, 3);
        }
        speculation.note_checked(3, 1, 3.0);
        check(&speculation, 9, 0);
        speculation.begin_conversation();
        check(&speculation, 9, 3);
        // However much was won, no more than twice as much is lost after it.
        (0..1000).for_each(|_| speculation.note_checked(3, 4, 1.0));
        (0..8).for_each(|_| speculation.note_checked(3, 1, 3.0));
        check(&speculation, 9, 3);
        speculation.note_checked(3, 1, 3.0);
        check(&speculation, 9, 0);
    }

    #[test]
    fn a_token_takes_what_the_last_ones_took() {
        let mut speculation = Speculation::new(Speculate::WhereFaster);
        speculation.note_token(1.0);
        speculation.note_token(2.0);
        assert_eq!(speculation.token_seconds, Some(1.2));
    }
}
