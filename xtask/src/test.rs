//! `cargo xtask test`: everything that has to hold, in one command.

use std::ops::AddAssign;
use std::time::Instant;

use anyhow::{Result, bail};

use crate::places::Places;
use crate::report::seconds;
use crate::{browser, native};

/// What can be tested by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Lint,
    Native,
    Browser,
    /// The kernels on a second software adapter. Only when asked for: it takes minutes to compile each for it.
    SwiftShader,
}

impl Kind {
    /// What is run unless something else is asked for, in the order in which a mistake shows soonest.
    pub(crate) const ALL: [Kind; 3] = [Kind::Lint, Kind::Native, Kind::Browser];

    pub(crate) fn from_name(name: &str) -> Result<Kind> {
        match Kind::ALL.into_iter().chain([Kind::SwiftShader]).find(|kind| kind.name() == name) {
            Some(kind) => Ok(kind),
            None => bail!(
                "There are tests of the kinds lint, native, browser and swiftshader, and none called {name}."
            ),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Kind::Lint => "lint",
            Kind::Native => "native",
            Kind::Browser => "browser",
            Kind::SwiftShader => "swiftshader",
        }
    }

    fn run(self, places: &Places, suites: &[&str]) -> Result<Tally> {
        match self {
            Kind::Lint => native::lint(places),
            Kind::Native => native::test(places),
            Kind::Browser => browser::test(places, suites),
            Kind::SwiftShader => native::test_kernels(places),
        }
    }
}

/// How many tests passed and failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u32,
    pub(crate) failed: u32,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Tally) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

impl Tally {
    /// Reads cargo's `test result: ok. 5 passed; 0 failed; …`, and counts nothing in other lines.
    pub(crate) fn from_line(line: &str) -> Tally {
        let Some(result) = line.strip_prefix("test result: ") else { return Tally::default() };
        let before = |word: &str| {
            let words: Vec<&str> = result.split([' ', ';']).collect();
            let count = words.windows(2).find_map(|pair| match pair {
                [count, found] if *found == word => count.parse().ok(),
                _ => None,
            });
            count.unwrap_or(0)
        };
        Tally { passed: before("passed"), failed: before("failed") }
    }
}

/// Runs all tests of these kinds, also after some have failed, and fails if any did.
/// `suites` names browser suites; empty means all.
pub(crate) fn test(kinds: &[Kind], suites: &[&str]) -> Result<()> {
    let places = Places::find()?;
    let start = Instant::now();
    let mut total = Tally::default();
    let mut lines = Vec::new();
    for kind in kinds {
        let start = Instant::now();
        let tally = kind.run(&places, suites).unwrap_or_else(|error| {
            println!("    FAILED: {error:#}");
            Tally { passed: 0, failed: 1 }
        });
        let time = seconds(start.elapsed());
        lines.push(format!("{:8} {:4} passed, {} failed, {time}", kind.name(), tally.passed, tally.failed));
        total += tally;
    }
    println!("\n{}\nin {}", lines.join("\n"), seconds(start.elapsed()));
    println!("{} passed, {} failed", total.passed, total.failed);
    if total.failed > 0 {
        bail!("{} of {} tests failed.", total.failed, total.passed + total.failed);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_read_off_cargos_lines() {
        let line = "test result: FAILED. 17 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.15s";
        assert_eq!(Tally::from_line(line), Tally { passed: 17, failed: 2 });
        assert_eq!(Tally::from_line("test serve::tests::ranges ... ok"), Tally::default());
    }
}
