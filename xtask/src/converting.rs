//! How fast `pronk convert` is, against copying the same bytes and hashing them, which is the least that it could do.

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::bench::{pronk, pronk_json};
use crate::demo;
use crate::places::{Places, empty_folder, remove};
use crate::real_size::synthesize_hub;
use crate::report::step;

/// What is asked for, and what it is called.
const KINDS: [(&[&str], &str); 3] =
    [(&["--quant", "q4"], "q4"), (&["--quant", "q8"], "q8"), (&[], "the same type")];

/// Converting may take twice as long as copying.
const RATIO: f64 = 0.5;

const RUNS: usize = 3;

/// The demo in halves is converted, since that is what people have: weights of 16 bits.
pub(crate) fn rows(places: &Places) -> Result<Vec<Value>> {
    let folder = places.target.join("converting");
    empty_folder(&folder)?;
    let source = folder.join("source");
    let mut prepare = pronk(places)?;
    prepare.args(["convert", "--quant", "f16", "--json"]).arg(demo::model(places)?).arg(&source);
    step("Converting the demo to halves and from them", || {
        pronk_json(&mut prepare)?;
        let mut rows = Vec::new();
        for (options, name) in KINDS {
            rows.extend(of_kind(places, &source, options, name)?);
        }
        remove(&folder)?;
        Ok(rows)
    })
}

/// Of several runs the one in the middle by its ratio.
fn of_kind(places: &Places, source: &Path, options: &[&str], name: &str) -> Result<[Value; 3]> {
    let out = source.with_file_name("out");
    let mut runs = Vec::with_capacity(RUNS);
    for _ in 0..RUNS {
        remove(&out)?;
        let mut convert = pronk(places)?;
        convert.args(["convert", "--json"]).args(options).arg(source).arg(&out);
        let report = pronk_json(&mut convert)?;
        let speed =
            |key: &str| report[key].as_f64().with_context(|| format!("`pronk convert` gives no {key}."));
        runs.push([speed("converting_bytes_per_second")?, speed("copying_bytes_per_second")?]);
    }
    runs.sort_by(|a, b| (a[0] / a[1]).total_cmp(&(b[0] / b[1])));
    let [converting, copying] = runs[RUNS / 2];
    let row = |name: String, value: f64, unit: &str| json!({ "name": name, "value": value, "unit": unit });
    let mut ratio = row(format!("the first by the second, {name}"), converting / copying, "x");
    ratio["wanted"] = RATIO.into();
    Ok([
        row(format!("converting f16 to {name}"), converting / 1e6, "MB/s"),
        row("copying and hashing it".to_owned(), copying / 1e6, "MB/s"),
        ratio,
    ])
}

/// What converting a large model may take of memory, in MiB.
const MOST_MEMORY: f64 = 6.0 * 1024.0;

/// The size of 8B in floats, 16 GB, to 4 bits, 5 GB. All of it is removed in the end.
pub(crate) fn of_8b(places: &Places) -> Result<Value> {
    let folder = places.target.join("converting-8b");
    empty_folder(&folder)?;
    let source = folder.join("source");
    let made = synthesize_hub(places, "llama-3.1-8b", &source)?;
    let mut convert = pronk(places)?;
    convert.args(["convert", "--json", "--quant", "q4"]).arg(&source).arg(folder.join("out"));
    let report = step("Converting it to 4 bits", || pronk_json(&mut convert));
    remove(&folder)?;
    let report = report?;
    let row = |name: &str, key: &str, by: f64, unit: &str| {
        let value = report[key].as_f64().with_context(|| format!("`pronk convert` gives no {key}."))?;
        anyhow::Ok(json!({ "name": name, "value": value / by, "unit": unit }))
    };
    let mut memory = row("memory at its largest", "peak_memory_bytes", f64::from(1 << 20), "MiB")?;
    memory["wanted"] = MOST_MEMORY.into();
    Ok(json!([
        { "name": "making up the folder in floats", "value": made, "unit": "s" },
        row("converting bf16 to q4", "seconds", 1.0, "s")?,
        row("converting bf16 to q4", "converting_bytes_per_second", 1e6, "MB/s")?,
        row("copying and hashing it", "copying_bytes_per_second", 1e6, "MB/s")?,
        memory,
    ]))
}
