//! `cargo xtask bench`: speed and memory, natively and in both browsers, in one table and in `target/bench.json`.
//! With models of true sizes only when asked for: that takes a quarter of an hour on 2 cores.
//!
//! Each place leaves rows of one form, which is all that this module knows of them:
//! `[{"name": "decode", "value": 7.1, "unit": "tok/s", "wanted": 6.0}]`. Where `wanted` is given and the unit is
//! a speed, or `x` for one speed by another, the value should be at least that; for other units, at most. Where the
//! value is the middle one of several runs, `least` and `most` say how far they lie apart.
//! Natively they come from `pronk bench MODEL --json`, in browsers from `tests/browser/bench.mjs`.

use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::browser::Stage;
use crate::command::{command, output, run};
use crate::places::Places;
use crate::report::step;
use crate::system::{self, Browser};
use crate::{converting, demo, peers, quantization, real_size};

/// Where models can run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Where {
    Native,
    Browser,
    /// Both, with models of true sizes.
    RealSize,
    /// Not where, but what: the losses of quantizing.
    Quantization,
    /// Not where, but what: converting a model of the size of 8B.
    Converting8B,
    /// In a browser, and others beside us.
    Peers(peers::Options),
}

impl Where {
    /// What is measured unless something else is asked for.
    pub(crate) const USUAL: [Where; 2] = [Where::Native, Where::Browser];

    /// From what stands behind `bench`: places, and `--peers` with its options last. The usual ones, if nothing does.
    pub(crate) fn parse(words: &[&str]) -> Result<Vec<Where>> {
        let peers = words.iter().position(|word| *word == "--peers");
        let (places, peers) = match peers {
            Some(at) => (&words[..at], Some(peers::Options::parse(&words[at + 1..])?)),
            None if words.is_empty() => return Ok(Where::USUAL.to_vec()),
            None => (words, None),
        };
        let places = places.iter().map(|name| Where::from_name(name));
        places.chain(peers.map(|options| Ok(Where::Peers(options)))).collect()
    }

    fn from_name(name: &str) -> Result<Where> {
        match name {
            "native" => Ok(Where::Native),
            "browser" => Ok(Where::Browser),
            "real-size" => Ok(Where::RealSize),
            "quantization" => Ok(Where::Quantization),
            "converting-8b" => Ok(Where::Converting8B),
            _ => bail!(
                "There are benches called native, browser, real-size, quantization and converting-8b, and none called {name}."
            ),
        }
    }

    /// The rows of each device.
    fn rows(&self, places: &Places) -> Result<Vec<(String, Value)>> {
        match self {
            Where::Native => Ok(vec![("native, lavapipe".to_owned(), native(places)?)]),
            Where::Quantization => {
                Ok(vec![("quantization, of the demo model in f32".to_owned(), quantization::rows(places)?)])
            }
            Where::Browser => {
                let stage = Stage::set_up(places, &[])?;
                Browser::ALL.into_iter().map(|browser| in_browser(&stage, browser, "bench.mjs")).collect()
            }
            Where::RealSize => real_size::rows(places),
            Where::Converting8B => {
                Ok(vec![("converting, the size of 8B".to_owned(), converting::of_8b(places)?)])
            }
            Where::Peers(options) => peers::rows(places, options),
        }
    }
}

/// Measures, prints and writes.
pub(crate) fn bench(wheres: &[Where]) -> Result<()> {
    let places = Places::find()?;
    system::set_up()?;
    let mut all = Vec::new();
    for place in wheres {
        all.extend(place.rows(&places)?);
    }
    for (device, rows) in &all {
        print_table(device, rows);
    }
    let path = places.target.join("bench.json");
    let object: serde_json::Map<String, Value> = all.into_iter().collect();
    std::fs::write(&path, serde_json::to_string_pretty(&object)?)?;
    println!("\nThe same is in {}.", path.display());
    Ok(())
}

fn native(places: &Places) -> Result<Value> {
    let model = demo::model(places)?;
    let measure = |device: &str, what: &str| {
        let mut bench = pronk(places)?;
        bench.arg("bench").arg(&model).args(["--device", device, "--json"]);
        step(format!("Measuring natively, on {what}"), || pronk_json(&mut bench))
    };
    let mut rows = with_aims(measure("gpu", "lavapipe")?);
    let on_cpu = measure("cpu", "the CPU")?;
    if let Some(rows) = rows.as_array_mut() {
        rows.extend(on_cpu.as_array().into_iter().flatten().map(|row| {
            let name = format!("{}, on the CPU", row["name"].as_str().unwrap_or_default());
            let mut row = row.clone();
            row["name"] = name.into();
            row
        }));
        rows.extend(reading(places)?);
        rows.extend(converting::rows(places)?);
    }
    Ok(rows)
}

/// How fast quantized blocks come into the layout of a GPU, on one core.
fn reading(places: &Places) -> Result<Vec<Value>> {
    let mut speeds =
        command("cargo", ["run", "--release", "--package", "format", "--example", "block_speed"]);
    speeds.args(["--", "--json"]).current_dir(&places.root);
    let text = step("Measuring how fast blocks are read", || output(&mut speeds))?;
    serde_json::from_str(&text).context("block_speed printed something else than JSON.")
}

/// `pronk` as it is published, on lavapipe.
pub(crate) fn pronk(places: &Places) -> Result<Command> {
    let mut pronk = command("cargo", ["run", "--release", "--package", "cli", "--bin", "pronk", "--"]);
    system::with_lavapipe(pronk.current_dir(&places.root))?;
    Ok(pronk)
}

/// Runs `pronk … --json`, and gives what it printed.
pub(crate) fn pronk_json(pronk: &mut Command) -> Result<Value> {
    serde_json::from_str(&output(pronk)?).context("`pronk --json` printed something else than JSON.")
}

/// What the demo should reach natively on 2 cores without a GPU, in tokens a second. `pronk bench` knows neither
/// the model nor the machine that it is called with.
const NATIVE_AIMS: [(&str, f64); 2] = [("prefill", 50.0), ("decode", 16.0)];

fn with_aims(mut rows: Value) -> Value {
    for row in rows.as_array_mut().into_iter().flatten() {
        if let Some((_, aim)) = NATIVE_AIMS.iter().find(|(name, _)| row["name"] == *name) {
            row["wanted"] = (*aim).into();
        }
    }
    rows
}

/// Runs a script that leaves its rows in `bench.json`.
pub(crate) fn in_browser(stage: &Stage, browser: Browser, script: &str) -> Result<(String, Value)> {
    let mut script = stage.script(script, browser)?;
    step(format!("Measuring in {}", browser.name()), || run(&mut script))?;
    let text = std::fs::read_to_string(stage.out(browser).join("bench.json"))?;
    Ok((browser.name().to_owned(), serde_json::from_str(&text)?))
}

fn print_table(device: &str, rows: &Value) {
    println!("\n{device}");
    for row in rows.as_array().unwrap_or(&Vec::new()) {
        println!("  {}", line(row));
    }
}

/// One row for the eye: name, value, unit, how far the runs lie apart, and whether it is as good as wanted.
fn line(row: &Value) -> String {
    let text = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
    let (name, unit, value) = (text("name"), text("unit"), row["value"].as_f64().unwrap_or(f64::NAN));
    let ends = match (row["least"].as_f64(), row["most"].as_f64()) {
        (Some(least), Some(most)) => format!("   {least:.2} to {most:.2}"),
        _ => String::new(),
    };
    let verdict = row["wanted"].as_f64().map_or_else(String::new, |wanted| {
        let more_is_better = unit.ends_with("/s") || unit == "x";
        let good = if more_is_better { value >= wanted } else { value <= wanted };
        let bound = if more_is_better { "at least" } else { "at most" };
        format!("   {} ({bound} {wanted})", if good { "good" } else { "SHORT OF THE AIM" })
    });
    format!("{name:40} {value:>12.2} {unit:8}{ends}{verdict}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn places_may_be_measured_in_one_run() {
        let names = |words: &[&str]| Where::parse(words).map(|places| format!("{places:?}")).ok();
        for (words, expected) in [
            (&[] as &[&str], Some("[Native, Browser]")),
            (&["real-size"], Some("[RealSize]")),
            (
                &["native", "real-size", "--peers", "--rounds", "4"],
                Some("[Native, RealSize, Peers(Options { rounds: 4, transformers_js: None })]"),
            ),
            (&["--peers", "native"], None),
            (&["nowhere"], None),
        ] {
            assert_eq!(names(words).as_deref(), expected, "{words:?}");
        }
    }

    #[test]
    fn aims_are_put_to_the_speeds_that_have_one() {
        let rows = with_aims(json!([{ "name": "load", "value": 1.0 }, { "name": "decode", "value": 7.0 }]));
        assert_eq!(
            rows,
            json!([{ "name": "load", "value": 1.0 }, { "name": "decode", "value": 7.0, "wanted": 16.0 }])
        );
    }

    #[test]
    fn speeds_are_wanted_high_and_all_else_low() {
        let rows = [
            ("tok/s", 7.0, true),
            ("tok/s", 5.0, false),
            ("x", 7.0, true),
            ("x", 5.0, false),
            ("MiB", 7.0, false),
            ("MiB", 5.0, true),
        ];
        for (unit, value, good) in rows {
            let row = json!({ "name": "x", "value": value, "unit": unit, "wanted": 6.0 });
            assert_eq!(line(&row).contains("good"), good, "{value} {unit}");
        }
        assert!(!line(&json!({ "name": "x", "value": 1.0, "unit": "" })).contains('('));
    }

    #[test]
    fn a_row_of_several_runs_shows_how_far_they_lie_apart() {
        let row =
            json!({ "name": "decode", "value": 2.0, "unit": "x", "least": 1.5, "most": 2.25, "wanted": 1.0 });
        assert!(line(&row).ends_with("2.00 x          1.50 to 2.25   good (at least 1)"), "{}", line(&row));
    }
}
