//! `cargo xtask bench quantization`: what quantizing loses, ours beside gguf-py's at the same number of bits.
//!
//! The base is the demo model in f32, as gguf-py reads it; all others are made of the base. What is measured on
//! `tests/texts/prose.txt`, by `pronk perplexity --against`: perplexity, and KL divergence from the base.
//! All are computed on the CPU, up to twenty times faster than by a GPU in software; its activations of 16 bits cost
//! the base as much as the others.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::bench::{pronk, pronk_json};
use crate::command::{command, run};
use crate::demo;
use crate::places::{Places, empty_folder};
use crate::report::step;

/// The library whose quantization is the measure.
const GGUF_PY: &str = "gguf==0.19.0";

const WRITE: &str = include_str!("gguf_py.py");

/// gguf-py's type, and ours of the same size.
const PAIRS: [(&str, &str); 2] = [("Q4_0", "q4"), ("Q4_1", "q4m")];

/// Perplexity and divergence of every pair, and what ours may be at most: gguf-py's.
pub(crate) fn rows(places: &Places) -> Result<Value> {
    let folder = places.target.join("quantization");
    let base = write_theirs(places, &folder)?;
    let measure = |model: &Path| -> Result<[f64; 3]> {
        let text = places.root.join("tests/texts/prose.txt");
        let mut perplexity = pronk(places)?;
        perplexity
            .arg("perplexity")
            .arg(model)
            .arg(text)
            .arg("--against")
            .arg(&base)
            .args(["--device", "cpu", "--json"]);
        let scores = step(format!("Measuring {}", name_of(model)), || pronk_json(&mut perplexity))?;
        let divergence = number(&scores["against"]["mean_kl_divergence"])?;
        Ok([bits(places, model)?, number(&scores["perplexity"])?, divergence])
    };
    let mut rows = Vec::new();
    for (theirs, ours) in PAIRS {
        let made = folder.join(ours);
        let mut convert = pronk(places)?;
        convert.arg("convert").arg(&base).arg(&made).args(["--quant", ours]);
        step(format!("Converting to {ours}"), || run(&mut convert))?;
        let expected = measure(&folder.join(format!("{theirs}.gguf")))?;
        let got = measure(&made)?;
        for ((what, unit), (theirs_is, ours_is)) in MEASURES.into_iter().zip(expected.into_iter().zip(got)) {
            rows.push(
                json!({ "name": format!("{theirs} by gguf-py: {what}"), "value": theirs_is, "unit": unit }),
            );
            let name = format!("{ours}: {what}");
            rows.push(json!({ "name": name, "value": ours_is, "unit": unit, "wanted": theirs_is }));
        }
    }
    Ok(Value::Array(rows))
}

const MEASURES: [(&str, &str); 3] =
    [("bits a weight", ""), ("perplexity", ""), ("KL divergence from f32", "nats")];

/// The base in f32 and its quantizations by gguf-py, in `folder`; gives the base.
fn write_theirs(places: &Places, folder: &Path) -> Result<PathBuf> {
    let packages = places.target.join("python");
    if !packages.join("gguf").is_dir() {
        let mut install = command("python3", ["-m", "pip", "install", "--disable-pip-version-check"]);
        install.arg("--target").arg(&packages).arg(GGUF_PY);
        step(format!("Installing {GGUF_PY} into target/"), || run(&mut install))?;
    }
    empty_folder(folder)?;
    let base = folder.join("F32.gguf");
    let mut write = command("python3", ["-c", WRITE]);
    write.env("PYTHONPATH", packages).arg(demo::model(places)?).arg("F32").arg(&base);
    for (theirs, _) in PAIRS {
        write.arg(theirs).arg(folder.join(format!("{theirs}.gguf")));
    }
    step("Quantizing with gguf-py", || run(&mut write))?;
    Ok(base)
}

/// Bits that a weight takes on the device, scales included.
fn bits(places: &Places, model: &Path) -> Result<f64> {
    let said = pronk_json(pronk(places)?.arg("inspect").arg(model).arg("--json"))?;
    Ok(number(&said["memory"]["weights"])? * 8.0 / number(&said["parameters"])?)
}

fn number(value: &Value) -> Result<f64> {
    value.as_f64().context("`pronk --json` printed no number.")
}

fn name_of(model: &Path) -> String {
    model.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
