//! The words for guessing tokens ahead. Which tokens come does not depend on them.

use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::{Args, ValueEnum};
use engine::Speculate;

use super::ModelArgs;
use crate::location::Location;

#[derive(Debug, Args)]
pub(crate) struct GuessArgs {
    /// Guess tokens ahead and check several in one step: until it is seen to lose time, whenever there is a guess, or never.
    /// The answer is the same.
    #[arg(long, value_enum, default_value_t = SpeculateName::Auto)]
    speculate: SpeculateName,
    /// A smaller model of the same vocabulary, to guess where the context repeats nothing.
    #[arg(long, value_name = "MODEL", value_parser = OsStringValueParser::new().map(Location::from))]
    draft: Option<Location>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum SpeculateName {
    Auto,
    Always,
    Never,
}

impl GuessArgs {
    /// Whether tokens are guessed.
    pub(crate) fn speculate(&self) -> Speculate {
        match self.speculate {
            SpeculateName::Auto => Speculate::WhereFaster,
            SpeculateName::Always => Speculate::Always,
            SpeculateName::Never => Speculate::Never,
        }
    }

    /// The smaller model, if there is one, kept as `model` is.
    pub(crate) fn draft(&self, model: &ModelArgs) -> Option<ModelArgs> {
        self.draft.clone().map(|location| ModelArgs { location, no_cache: model.no_cache })
    }
}
