//! `cargo xtask bench --peers`: Pronk beside others that run models in a web page, on this machine.
//!
//! wllama, the newest that npm has, is given the same GGUF in the same Chromium, with one thread and with two, and on
//! WebGPU. transformers.js is timed beside it when a folder is named with the scripts that make its weights of the GGUF:
//! `build_onnx.py` and `dynq8.py`. Everybody is asked the same, takes the likeliest tokens, and has answered
//! a question that is not counted before. They take turns, each in a browser of its own with nothing in it.
//!
//! ```text
//! options -> installed: packages, ONNX models -> tests/browser/peers.mjs -> peers.json -> figures -> rows
//! ```

mod figures;
mod onnx;
mod packages;
mod spread;

use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::browser::Stage;
use crate::command::run;
use crate::places::Places;
use crate::report::step;
use crate::system::Browser;

/// Fewer say nothing of how far the runs of one machine lie apart.
const LEAST_ROUNDS: u32 = 3;

/// What is measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// How often each takes its turn.
    rounds: u32,
    /// The scripts that make transformers.js its model.
    transformers_js: Option<PathBuf>,
}

impl Options {
    /// From what stands behind `--peers`.
    pub(crate) fn parse(words: &[&str]) -> Result<Options> {
        let mut options = Options { rounds: LEAST_ROUNDS, transformers_js: None };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().with_context(|| format!("A value is missing behind {word}."));
            match *word {
                "--rounds" => options.rounds = rounds(value()?)?,
                "--transformers-js" => options.transformers_js = Some(PathBuf::from(value()?)),
                _ => bail!("bench --peers takes --rounds N and --transformers-js FOLDER, and not {word}."),
            }
        }
        Ok(options)
    }
}

fn rounds(word: &str) -> Result<u32> {
    let rounds = word.parse().with_context(|| format!("{word} is no number of rounds."))?;
    ensure!(
        rounds >= LEAST_ROUNDS,
        "{rounds} rounds are too few to see how far they lie apart; {LEAST_ROUNDS} are the least."
    );
    Ok(rounds)
}

/// The rows of Pronk, of each peer, and of Pronk by the fastest.
pub(crate) fn rows(places: &Places, options: &Options) -> Result<Vec<(String, Value)>> {
    let folder = places.target.join("peers");
    let scripts = options.transformers_js.as_deref();
    packages::install(&folder, scripts.is_some())?;
    let models = scripts.and_then(|scripts| onnx::models(places, &folder, scripts));
    let stage = Stage::set_up(places, &[])?;
    let browser = Browser::Chromium;
    let mut script = stage.script("peers.mjs", browser)?;
    script.env("PRONK_PEERS", &folder).env("PRONK_PEERS_ROUNDS", options.rounds.to_string());
    script.envs(models.map(|models| ("PRONK_PEERS_ONNX", models)));
    step(format!("Measuring Pronk and its peers in turns, {} rounds", options.rounds), || run(&mut script))?;
    let text = std::fs::read_to_string(stage.out(browser).join("peers.json"))?;
    figures::rows(&serde_json::from_str(&text).context("peers.mjs left something else than JSON.")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_few_and_said_in_full() {
        let usual = Options { rounds: 3, transformers_js: None };
        let check = |words: &[&str], expected: Result<Options, &str>| {
            let parsed = Options::parse(words).map_err(|error| error.to_string());
            assert_eq!(parsed, expected.map_err(str::to_owned), "{words:?}");
        };
        check(&[], Ok(usual.clone()));
        check(&["--rounds", "5"], Ok(Options { rounds: 5, ..usual.clone() }));
        let both = Options { rounds: 4, transformers_js: Some("../tjs".into()) };
        check(&["--transformers-js", "../tjs", "--rounds", "4"], Ok(both));
        check(&["--rounds"], Err("A value is missing behind --rounds."));
        check(&["--rounds", "many"], Err("many is no number of rounds."));
        let too_few = "2 rounds are too few to see how far they lie apart; 3 are the least.";
        check(&["--rounds", "2"], Err(too_few));
        let unknown = "bench --peers takes --rounds N and --transformers-js FOLDER, and not webllm.";
        check(&["webllm"], Err(unknown));
    }
}
