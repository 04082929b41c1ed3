//! How tokens are drawn, as a person types it: numbers, or nothing for what the model's makers want.

use std::fmt::Display;
use std::str::FromStr;

use protocol::{Sampling, SamplingDefaults};

use super::State;

/// The highest whole number up to which JavaScript knows each.
const MOST_SEED: u64 = (1 << 53) - 1;

/// A setting that the page offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Setting {
    /// What logits are divided by.
    Temperature,
    /// The least probability, in sum, of what is drawn from.
    TopP,
    /// How many of the likeliest tokens are drawn from.
    TopK,
    /// How likely, measured by the likeliest, a token must be.
    MinP,
    /// What makes tokens that were there less likely.
    RepetitionPenalty,
    /// What the draws follow from.
    Seed,
}

impl Setting {
    /// All of them, in the order in which they are shown.
    pub(crate) const ALL: [Setting; 6] = [
        Setting::Temperature,
        Setting::TopP,
        Setting::TopK,
        Setting::MinP,
        Setting::RepetitionPenalty,
        Setting::Seed,
    ];

    /// Its field's name in the page.
    pub(crate) fn id(self) -> &'static str {
        match self {
            Setting::Temperature => "sampling-temperature",
            Setting::TopP => "sampling-top-p",
            Setting::TopK => "sampling-top-k",
            Setting::MinP => "sampling-min-p",
            Setting::RepetitionPenalty => "sampling-repetition-penalty",
            Setting::Seed => "sampling-seed",
        }
    }

    /// Its name for people.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Setting::Temperature => "Temperature",
            Setting::TopP => "Top-p",
            Setting::TopK => "Top-k",
            Setting::MinP => "Min-p",
            Setting::RepetitionPenalty => "Repetition penalty",
            Setting::Seed => "Seed",
        }
    }

    /// What may be typed, for whoever has typed something else.
    pub(crate) fn refusal(self) -> &'static str {
        match self {
            Setting::Temperature => "Temperature must be a number, 0 to 5.",
            Setting::TopP => "Top-p must be a number, above 0 and at most 1.",
            Setting::TopK => "Top-k must be a whole number, 0 to 4294967295.",
            Setting::MinP => "Min-p must be a number, 0 to 1.",
            Setting::RepetitionPenalty => "Repetition penalty must be a number, 0.01 to 10.",
            Setting::Seed => "Seed must be a whole number, 0 to 9007199254740991.",
        }
    }

    /// What has been typed; empty for nothing.
    pub(crate) fn text(self, sampling: &Sampling) -> String {
        match self {
            Setting::Temperature => text(sampling.temperature),
            Setting::TopP => text(sampling.top_p),
            Setting::TopK => text(sampling.top_k),
            Setting::MinP => text(sampling.min_p),
            Setting::RepetitionPenalty => text(sampling.repetition_penalty),
            Setting::Seed => text(sampling.seed),
        }
    }

    /// What holds where nothing is typed.
    pub(crate) fn placeholder(self, makers: &SamplingDefaults) -> String {
        let wanted = self.text(&Sampling::default().or(makers));
        let otherwise = match self {
            Setting::TopP | Setting::RepetitionPenalty => "1",
            Setting::Temperature | Setting::TopK | Setting::MinP => "0",
            Setting::Seed => "random",
        };
        if wanted.is_empty() { otherwise.to_owned() } else { wanted }
    }

    /// Takes what was typed. What is no number, or none that can be kept, counts as nothing.
    fn set(self, sampling: &mut Sampling, typed: &str) {
        match self {
            Setting::Temperature => sampling.temperature = decimal(typed),
            Setting::TopP => sampling.top_p = decimal(typed),
            Setting::TopK => sampling.top_k = whole(typed),
            Setting::MinP => sampling.min_p = decimal(typed),
            Setting::RepetitionPenalty => sampling.repetition_penalty = decimal(typed),
            Setting::Seed => sampling.seed = whole(typed).filter(|seed| *seed <= MOST_SEED),
        }
    }
}

impl State {
    /// Takes what was typed, and remembers it as it stands where it cannot be taken.
    pub(super) fn setting_typed(&mut self, setting: Setting, typed: String) {
        self.mistyped.retain(|(mistyped, _)| *mistyped != setting);
        setting.set(&mut self.sampling, &typed);
        if setting.text(&self.sampling).is_empty() && !typed.trim().is_empty() {
            self.mistyped.push((setting, typed));
        }
    }

    pub(super) fn reset_sampling(&mut self) {
        self.sampling = Sampling::default();
        self.mistyped.clear();
    }
}

fn text(value: Option<impl Display>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

fn whole<T: FromStr>(typed: &str) -> Option<T> {
    typed.trim().parse().ok()
}

/// A number as a browser's field for numbers gives it: `-0.7`, `.5`, `1e-3`.
///
/// Not by `str::parse`, which has tables for the numbers that lie all but halfway between two floats. Nobody types
/// those, and the tables were a twenty-fifth of the page's download.
fn decimal(typed: &str) -> Option<f32> {
    let typed = typed.trim();
    let (number, exponent) = typed.split_once(['e', 'E']).unwrap_or((typed, "0"));
    let (sign, number) = number.strip_prefix('-').map_or((1.0, number), |number| (-1.0, number));
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut digits = 0.0;
    for digit in whole.chars().chain(fraction.chars()) {
        digits = 10.0 * digits + f64::from(digit.to_digit(10)?);
    }
    let places = i32::try_from(fraction.len()).ok()?;
    let exponent = exponent.parse::<i32>().ok()?.checked_sub(places)?;
    let value = (sign * digits * 10f64.powi(exponent)) as f32;
    value.is_finite().then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_is_what_is_shown() {
        for (setting, typed, shown) in [
            (Setting::Temperature, "0.70", "0.7"),
            (Setting::TopP, " 0.9 ", "0.9"),
            (Setting::TopK, "40", "40"),
            (Setting::TopK, "4.5", ""),
            (Setting::TopK, "-1", ""),
            (Setting::TopK, "4294967296", ""),
            (Setting::MinP, "0", "0"),
            (Setting::MinP, "5e-2", "0.05"),
            (Setting::RepetitionPenalty, "1.1", "1.1"),
            (Setting::Seed, "9007199254740991", "9007199254740991"),
            (Setting::Seed, "9007199254740992", ""),
            (Setting::Seed, "-1", ""),
            (Setting::Temperature, "warm", ""),
            (Setting::Temperature, "", ""),
        ] {
            let mut state = State::default();
            state.setting_typed(setting, typed.to_owned());
            for other in Setting::ALL {
                let expected = if other == setting { shown } else { "" };
                assert_eq!(other.text(&state.sampling), expected, "{other:?} after {typed:?} as {setting:?}");
            }
            let is_refused = shown.is_empty() && !typed.is_empty();
            let refused = is_refused.then(|| (setting, typed.to_owned()));
            assert_eq!(state.mistyped, Vec::from_iter(refused), "{typed:?} as {setting:?}");
        }
    }

    #[test]
    fn decimals_are_read_as_the_nearest_float() {
        for typed in
            ["0.1", ".5", "7.", "-0.25", "1e-3", "2.5E2", "1e+1", "0.30000000000000004", "1e-50", "3.4e38"]
        {
            assert_eq!(decimal(typed), typed.parse().ok(), "{typed}");
        }
        for thousandth in 0..20_000 {
            let typed = format!("{}.{:03}", thousandth / 1000, thousandth % 1000);
            assert_eq!(decimal(&typed), typed.parse().ok(), "{typed}");
        }
        for typed in [
            "",
            ".",
            "-",
            "e5",
            "1e",
            "1e99",
            "1e99999999999",
            "0x1",
            "1.2.3",
            "1 2",
            "NaN",
            "inf",
            "--1",
            "٣",
        ] {
            assert_eq!(decimal(typed), None, "{typed}");
        }
    }

    #[test]
    fn what_the_makers_want_is_what_holds() {
        let makers = SamplingDefaults {
            do_sample: Some(true),
            temperature: Some(0.6),
            top_k: Some(50),
            top_p: Some(0.9),
            repetition_penalty: Some(1.1),
        };
        let shown = |makers: &SamplingDefaults| Setting::ALL.map(|setting| setting.placeholder(makers));
        assert_eq!(shown(&makers), ["0.6", "0.9", "50", "0", "1.1", "random"]);
        assert_eq!(shown(&SamplingDefaults::default()), ["0", "1", "0", "0", "1", "random"]);
    }
}
