//! How fast bytes come, over the last few seconds, and how long the rest will take.

use std::collections::VecDeque;

/// The speed over a window of time. Knows no clock: the caller says when.
#[derive(Debug, Clone, Default)]
pub struct Speed {
    /// Milliseconds and bytes done by then, oldest first.
    samples: VecDeque<(f64, u64)>,
}

/// Long enough to even out bursts, short enough to follow a connection that gets slower.
const WINDOW_MILLISECONDS: f64 = 5_000.0;

/// Before this much time has passed there is no speed to speak of.
const LEAST_MILLISECONDS: f64 = 250.0;

/// Samples closer than this replace the last one, so that the window holds a hundred at most.
const APART_MILLISECONDS: f64 = 50.0;

impl Speed {
    /// At `milliseconds`, on any clock that only goes forward, `done` bytes were done in all.
    pub fn add(&mut self, milliseconds: f64, done: u64) {
        // Bytes go back when a piece has to be fetched again; what was measured before means nothing then.
        if self.samples.back().is_some_and(|(_, before)| done < *before) {
            self.samples.clear();
        }
        let mut newest_two = self.samples.iter().rev();
        let replaces = match (newest_two.next(), newest_two.next()) {
            (Some(_), Some((before, _))) => milliseconds - before < APART_MILLISECONDS,
            _ => false,
        };
        if replaces {
            self.samples.pop_back();
        }
        self.samples.push_back((milliseconds, done));
        // The newest sample outside the window stays: the window begins at it.
        while self.samples.get(1).is_some_and(|(at, _)| milliseconds - at >= WINDOW_MILLISECONDS) {
            self.samples.pop_front();
        }
    }

    /// Bytes a second; 0 until known.
    pub fn bytes_per_second(&self) -> f64 {
        match (self.samples.front(), self.samples.back()) {
            (Some((from, before)), Some((to, done))) if to - from >= LEAST_MILLISECONDS => {
                (done - before) as f64 * 1000.0 / (to - from)
            }
            _ => 0.0,
        }
    }

    /// Seconds that `bytes` more will take; `None` until the speed is known, or while nothing comes.
    pub fn seconds_left(&self, bytes: u64) -> Option<f64> {
        let speed = self.bytes_per_second();
        (speed > 0.0).then(|| bytes as f64 / speed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(samples: &[(f64, u64)], bytes_per_second: f64, seconds_left_of_1000: Option<f64>) {
        let mut speed = Speed::default();
        samples.iter().for_each(|(at, done)| speed.add(*at, *done));
        let found = (speed.bytes_per_second(), speed.seconds_left(1000));
        assert_eq!(found, (bytes_per_second, seconds_left_of_1000), "{samples:?}");
    }

    #[test]
    fn is_unknown_at_first_and_while_nothing_comes() {
        check(&[], 0.0, None);
        check(&[(7.0, 500)], 0.0, None);
        check(&[(0.0, 0), (249.0, 500)], 0.0, None);
        check(&[(0.0, 500), (1000.0, 500)], 0.0, None);
    }

    #[test]
    fn is_the_slope_over_the_window() {
        check(&[(1000.0, 0), (1250.0, 500)], 2000.0, Some(0.5));
        // Bytes that were there before the first sample have no part in the speed.
        check(&[(1000.0, 9000), (2000.0, 9500), (3000.0, 9800)], 400.0, Some(2.5));
        // The first second, ten times faster, has left the window.
        check(&[(0.0, 0), (1000.0, 10_000), (3000.0, 12_000), (6000.0, 15_000)], 1000.0, Some(1.0));
    }

    #[test]
    fn starts_anew_when_bytes_go_back() {
        check(&[(0.0, 0), (1000.0, 5000), (1001.0, 1000), (2001.0, 3000)], 2000.0, Some(0.5));
    }

    #[test]
    fn stays_small_however_often_it_is_fed() {
        let mut speed = Speed::default();
        (0..100_000u32).for_each(|n| speed.add(f64::from(n), u64::from(n) * 3));
        assert_eq!(speed.bytes_per_second(), 3000.0);
        assert!(speed.samples.len() <= 110, "{} samples", speed.samples.len());
    }
}
