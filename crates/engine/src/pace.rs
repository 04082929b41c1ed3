//! How large the steps of a prefill are: by measured time, so that Stop is heard and no driver loses patience.

/// What the size of a step is aimed at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Pace {
    /// Steps are multiples of so many tokens, and the first one, of which nothing is known, has as many.
    pub(crate) unit: usize,
    /// How long a step should take.
    pub(crate) seconds: f64,
}

impl Pace {
    /// A driver ends what takes some seconds, and a page is drawn by the same device.
    pub(crate) const GPU: Pace = Pace { unit: 4, seconds: 0.1 };

    /// The vector kernels take 8 tokens at a time, as do those of bytes where the CPU stands for a GPU, and whoever waits for the
    /// worker only wants to stop it.
    pub(crate) const CPU: Pace = Pace { unit: 8, seconds: 0.3 };

    /// The size of the next step: what would have taken the time aimed at, at most twice the last.
    pub(crate) fn next_chunk(self, last: usize, seconds: f64) -> usize {
        let aimed = last as f64 * self.seconds / seconds.max(1e-6);
        ((aimed as usize).min(2 * last) / self.unit * self.unit).max(self.unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pace: Pace, rows: &[(usize, f64, usize)]) {
        for (last, seconds, expected) in rows {
            assert_eq!(pace.next_chunk(*last, *seconds), *expected, "after {last} in {seconds} s");
        }
    }

    #[test]
    fn steps_grow_towards_the_time_aimed_at() {
        let gpu = [
            (4, 0.01, 8),
            (8, 0.05, 16),
            (64, 0.1, 64),
            (64, 0.2, 32),
            (4, 3.0, 4),
            (128, 0.0, 256),
            (12, 0.09, 12),
        ];
        check(Pace::GPU, &gpu);
        check(Pace::CPU, &[(8, 0.1, 16), (16, 0.19, 24), (24, 0.31, 16), (8, 9.0, 8)]);
    }
}
