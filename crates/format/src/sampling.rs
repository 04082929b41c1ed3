//! How tokens are drawn, with every setting settled: what a person asks for and what a checkpoint's makers want, in one.
//!
//! The GPU and the CPU draw by these definitions, so that they agree on what may be drawn:
//!
//! ```text
//! logits -> + logit_bias -> repetition, frequency and presence penalties -> mask          (scores)
//!        -> distance = (highest - score) / temperature, a fixed-point number              (ranks)
//!        -> top_k -> top_p -> min_p: a farthest distance that may still be drawn
//!        -> the highest of gumbel(seed, position, id) - distance
//! ```
//!
//! The order is Hugging Face's. What lies behind the temperature depends on distances alone, and equal distances are
//! never torn apart: tokens as likely as the last one that `top_k` or `top_p` takes are taken too.
//! Noise of Gumbel's distribution makes the highest of the sums a draw from the softmax of the scores. It needs no
//! sorted list and no running sum, and depends on nothing but seed, position and id: an answer that was rewound goes on
//! as it would have.

/// How tokens are drawn. [`Sampling::default`] takes the likeliest.
#[derive(Clone, Debug, PartialEq)]
pub struct Sampling {
    /// What scores are divided by; at 0 the likeliest token is taken.
    pub temperature: f32,
    /// How many of the likeliest tokens are drawn from; 0 for all.
    pub top_k: u32,
    /// The least probability, in sum, of the tokens that are drawn from; 1 for all.
    pub top_p: f32,
    /// How likely, measured by the likeliest, a token must be to be drawn; 0 for all.
    pub min_p: f32,
    /// What makes tokens that were there less likely.
    pub penalties: Penalties,
    /// What is added to the logits of tokens. No token comes twice.
    pub logit_bias: Vec<(u32, f32)>,
    /// The tokens that are allowed, bit `id % 32` of word `id / 32` for each; `None` if all are.
    pub mask: Option<Vec<u32>>,
    /// What the noise follows from.
    pub seed: u64,
    /// How many tokens' log-probabilities are wanted beside the chosen one's; `None` if not even that.
    pub log_probs: Option<u32>,
}

/// What makes tokens that were there less likely. `Penalties::default()` changes nothing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Penalties {
    /// What logits are divided by, or multiplied where they are below zero; 1 changes nothing.
    pub repetition: f32,
    /// What is taken from a logit for each time that its token was there; 0 changes nothing.
    pub frequency: f32,
    /// What is taken from a logit if its token was there; 0 changes nothing.
    pub presence: f32,
    /// How many of the last tokens are looked at.
    pub window: u32,
}

/// Log-probabilities in the model's own distribution, before any setting has changed it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LogProbs {
    /// The chosen token's.
    pub chosen: f32,
    /// Those of the likeliest tokens, the likeliest first.
    pub top: Vec<(u32, f32)>,
}

/// The score of a token that the mask does not allow.
pub const MASKED: f32 = -3.4e38;

/// Scores and highest logits beyond this, infinite ones included, count as this.
pub const MOST: f32 = 1e38;

/// Distances are counted in parts of this size: `2^-27`.
pub const DISTANCE_UNIT: f32 = 1.0 / (1u32 << 27) as f32;

/// The farthest distance that may be drawn: almost 32. What is farther has `e^-32` of the likeliest token's
/// probability, which is below what `f32` resolves of a sum.
pub const FARTHEST: u32 = 0xFFFF_FF00;

/// The distance of what is never drawn.
pub const TOO_FAR: u32 = u32::MAX;

/// Most log-probabilities that can be asked for beside the chosen token's.
pub const MOST_LOG_PROBS: u32 = 20;

/// Most tokens that can have a bias.
pub const MOST_BIASES: usize = 1024;

impl Default for Sampling {
    fn default() -> Sampling {
        Sampling {
            temperature: 0.0,
            top_k: 0,
            top_p: 1.0,
            min_p: 0.0,
            penalties: Penalties::default(),
            logit_bias: Vec::new(),
            mask: None,
            seed: 0,
            log_probs: None,
        }
    }
}

impl Default for Penalties {
    fn default() -> Penalties {
        Penalties { repetition: 1.0, frequency: 0.0, presence: 0.0, window: u32::MAX }
    }
}

impl Penalties {
    /// How many of `seen` tokens are looked at: none where that would change nothing.
    pub fn looks_at(&self, seen: usize) -> usize {
        let Penalties { repetition, frequency, presence, window } = *self;
        let changes = repetition != 1.0 || frequency != 0.0 || presence != 0.0;
        if changes { seen.min(window as usize) } else { 0 }
    }
}

impl Sampling {
    /// Whether the likeliest token is taken, rather than one drawn.
    pub fn is_greedy(&self) -> bool {
        self.temperature == 0.0
    }

    /// Whether scores are other than logits.
    pub fn adjusts(&self) -> bool {
        self.penalties.looks_at(1) > 0 || !self.logit_bias.is_empty() || self.mask.is_some()
    }

    /// What differences of scores are multiplied with. Bounded, so that no product is infinite.
    pub fn inverse_temperature(&self) -> f32 {
        (1.0 / self.temperature).min(1e9)
    }

    /// Differences of scores from this on are too far.
    pub fn reach(&self) -> f32 {
        32.0 / self.inverse_temperature()
    }

    /// `top_p` in parts of `2^-32`; 0 for all.
    pub fn top_p_parts(&self) -> u32 {
        let parts = f64::from(self.top_p) * 2f64.powi(32);
        if self.top_p < 1.0 { (parts as u32).max(1) } else { 0 }
    }

    /// The farthest distance that `min_p` allows.
    pub fn min_p_distance(&self) -> u32 {
        let distance = -f64::from(self.min_p).ln() / f64::from(DISTANCE_UNIT);
        if self.min_p > 0.0 { (distance as u32).min(FARTHEST) } else { FARTHEST }
    }

    /// The seed as two words, the low one first.
    pub fn seed_words(&self) -> [u32; 2] {
        [self.seed as u32, (self.seed >> 32) as u32]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_become_parts_and_distances() {
        let sampling =
            |top_p, min_p, temperature| Sampling { top_p, min_p, temperature, ..Sampling::default() };
        for (top_p, expected) in [(1.0, 0), (0.5, 1 << 31), (1e-12, 1), (0.75, 3 << 30)] {
            assert_eq!(sampling(top_p, 0.0, 1.0).top_p_parts(), expected, "top_p {top_p}");
        }
        // e^-2 is about 0.1353.
        for (min_p, expected) in [(0.0, FARTHEST), (1e-20, FARTHEST), (1.0, 0), (0.135_335_28, 2 << 27)] {
            let got = sampling(1.0, min_p, 1.0).min_p_distance();
            assert!(got.abs_diff(expected) < 20, "min_p {min_p}: got {got}, expected {expected}");
        }
        for (temperature, inverse, reach) in [(1.0, 1.0, 32.0), (0.5, 2.0, 16.0), (1e-30, 1e9, 3.2e-8)] {
            let sampling = sampling(1.0, 0.0, temperature);
            assert_eq!((sampling.inverse_temperature(), sampling.reach()), (inverse, reach), "{temperature}");
        }
        assert_eq!(Sampling { seed: 7 << 32 | 5, ..Sampling::default() }.seed_words(), [5, 7]);
    }

    #[test]
    fn what_changes_nothing_is_told_from_what_does() {
        let default = Penalties::default();
        for (penalties, seen, expected) in [
            (default, 9, 0),
            (Penalties { repetition: 1.1, ..default }, 9, 9),
            (Penalties { frequency: -0.1, window: 4, ..default }, 9, 4),
            (Penalties { presence: 0.1, window: 4, ..default }, 3, 3),
        ] {
            assert_eq!(penalties.looks_at(seen), expected, "{penalties:?} after {seen}");
        }
        let adjusts = |change: fn(&mut Sampling)| {
            let mut sampling = Sampling::default();
            change(&mut sampling);
            sampling.adjusts()
        };
        assert!(!adjusts(|sampling| sampling.temperature = 1.0));
        assert!(adjusts(|sampling| sampling.penalties.presence = 1.0));
        assert!(adjusts(|sampling| sampling.logit_bias.push((0, 1.0))));
        assert!(adjusts(|sampling| sampling.mask = Some(vec![1])));
    }
}
