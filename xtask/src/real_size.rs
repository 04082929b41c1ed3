//! Models of true sizes: 8B natively, and 1B in both browsers. Their weights are random, and so is what they say.
//! In Chromium 1B as Hugging Face has it, too, to be quantized on its way.

mod time_model;

use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::{Value, json};

use crate::bench::{in_browser, pronk, pronk_json};
use crate::browser::Stage;
use crate::places::{Places, remove};
use crate::report::step;
use crate::system::Browser;
use xtask::serve::Mount;

const NATIVE: &str = "llama-3.1-8b";
const BROWSER: &str = "llama-3.2-1b";

/// The folder of the second in floats, as `real-size.mjs` asks for it.
const FLOATS: &str = "llama-3.2-1b-bf16";

/// A token of 8B takes seconds on 2 cores, so few are asked for, and once.
const TOKENS: [&str; 6] = ["--prompt-tokens", "16", "--decode-tokens", "8", "--runs", "1"];

/// Those of the kernels that most GPUs take, which are not what lavapipe takes: they are run for what they cost, not for
/// their speed here.
const ON_A_GPU: [&str; 8] =
    ["--prompt-tokens", "2", "--decode-tokens", "2", "--runs", "1", "--kernels", "subgroups"];

/// The most seconds that a folder may take to be made, for each thousand million weights. There is none for a folder
/// that was there.
const SECONDS_A_BILLION: f64 = 30.0;

/// The rows of all three places.
pub(crate) fn rows(places: &Places) -> Result<Vec<(String, Value)>> {
    let folder = places.target.join("real-size");
    std::fs::create_dir_all(&folder)?;
    let native = of_8b(places, &folder)?;
    synthesize(places, &folder, BROWSER)?;
    synthesize_hub(places, BROWSER, &folder.join(FLOATS))?;
    let more = Mount { path: "/real-size/".to_owned(), folder: folder.clone() };
    let stage = Stage::set_up(places, &[more])?;
    let mut all = vec![(format!("native, lavapipe, {NATIVE}"), native)];
    for browser in Browser::ALL {
        let (name, rows) = in_browser(&stage, browser, "real-size.mjs")?;
        all.push((format!("{name}, {BROWSER}"), rows));
    }
    println!("\nThe models stay in {}, to be used again; the folder may be removed.", folder.display());
    Ok(all)
}

fn of_8b(places: &Places, folder: &Path) -> Result<Value> {
    let (model, seconds) = synthesize(places, folder, NATIVE)?;
    let measure = |what: &str, options: &[&str]| {
        let mut bench = pronk(places)?;
        bench.arg("bench").arg(&model).args(options).args(["--device", "gpu", "--json"]);
        step(format!("Measuring {NATIVE} natively, on lavapipe{what}"), || pronk_json(&mut bench))
    };
    let mut rows = measure("", &TOKENS)?;
    let on_a_gpu = measure(", with a GPU's kernels", &ON_A_GPU)?;
    let made = seconds.map(|seconds| {
        let wanted = SECONDS_A_BILLION * 8.0;
        json!({ "name": "synthesizing the folder", "value": seconds, "unit": "s", "wanted": wanted })
    });
    if let Some(rows) = rows.as_array_mut() {
        rows.extend(made);
        rows.extend(counts(&on_a_gpu));
        rows.extend(time_model::rows(&on_a_gpu));
    }
    Ok(rows)
}

/// What a token costs, of the rows of a GPU's kernels.
fn counts(rows: &Value) -> Vec<Value> {
    let is_cost = |row: &&Value| {
        let name = row["name"].as_str().unwrap_or_default();
        name.ends_with(" a token") || name.contains("products alone") || name.contains("those there are")
    };
    let named = |row: &Value| {
        let mut row = row.clone();
        row["name"] = format!("{}, a GPU's kernels", row["name"].as_str().unwrap_or_default()).into();
        row
    };
    rows.as_array().into_iter().flatten().filter(is_cost).map(named).collect()
}

/// Makes a folder, and says how many seconds it took; none if some of it was there, which is hashed and kept.
fn synthesize(places: &Places, folder: &Path, like: &str) -> Result<(PathBuf, Option<f64>)> {
    let model = folder.join(like);
    let mut synthesize = pronk(places)?;
    synthesize.args(["synthesize", "--like", like, "--quant", "q4", "--json"]).arg(&model);
    let report = step(format!("Making up a model of the size of {like}"), || pronk_json(&mut synthesize))?;
    Ok((model, report["seconds"].as_f64().filter(|_| report["kept_shards"] == 0)))
}

/// Makes a folder as Hugging Face has them, and says how many seconds it took; none if it was there.
pub(crate) fn synthesize_hub(places: &Places, like: &str, model: &Path) -> Result<Option<f64>> {
    // It is the last to get its name.
    if model.join("model.safetensors").exists() {
        return Ok(None);
    }
    remove(model)?;
    let mut synthesize = pronk(places)?;
    synthesize.args(["synthesize", "--like", like, "--hub", "--json"]).arg(model);
    let what = format!("Making up a model of the size of {like}, in floats");
    let report = step(what, || pronk_json(&mut synthesize))?;
    Ok(report["seconds"].as_f64())
}
