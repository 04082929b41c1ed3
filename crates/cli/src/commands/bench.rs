//! `pronk bench`: how fast, how much memory, and what each token asks of the GPU.
//!
//! `--json` prints rows of the form that `cargo xtask bench` gathers from everywhere:
//! `[{"name": "decode", "value": 7.1, "unit": "tok/s", "least": 6.9, "most": 7.2}]`, speeds as medians.
//! Counts also say how high they may be (`wanted`): they are the same on every device.

use std::borrow::Cow;
use std::fmt::Write;
use std::time::Instant;

use anyhow::Result;
use engine::{Backend, DEFAULT_CONTEXT, Device, Engine, LoadOptions, Speculate, Tune};
use gpu::{Counts, Tier, TierChoice};
use protocol::TuningRow;
use serde::Serialize;

use crate::args::BenchArgs;
use crate::memory::peak_memory;
use crate::output::{print, print_json, tell};
use crate::source::load_tuned;

use super::tuning;

/// Tokens that the counts are averaged over.
const COUNTED: usize = 4;

/// What a decoded token may ask of the GPU at a short context, for each layer and for the rest; and how many of the products
/// among them are each preceded by a rounding, where they are of whole numbers. Where the CPU stands for the GPU one of
/// those puts splits of attention together, or else a dispatch of its own.
const DISPATCHES_A_LAYER: usize = 5;
const DISPATCHES_BESIDES: usize = 5;
const PRODUCTS_A_LAYER: usize = 4;
const PRODUCTS_BESIDES: usize = 1;
const COMBINATIONS_A_LAYER: usize = 1;

/// How much longer a token may take than its matrix products by themselves.
const MOST_BESIDE_PRODUCTS: f64 = 1.15;

/// How much more of the weights it may read than there is without the table of embeddings.
const MOST_READ: f64 = 1.01;

/// What a load may hold in memory besides the GPU's buffers, whatever the model.
const MOST_HELD_MIB: f64 = 512.0;

/// What is said over and over, to be guessed.
const SAID: &str = "The ferry leaves the north pier at ten past nine, calls at the two islands, \
                    and is back by noon unless the wind turns. ";

const MIB: f64 = (1 << 20) as f64;

#[derive(Debug, Serialize)]
struct Row {
    name: Cow<'static, str>,
    value: f64,
    unit: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    wanted: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    least: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    most: Option<f64>,
}

pub(crate) fn bench(args: &BenchArgs) -> Result<()> {
    let (prompt_tokens, decode_tokens) = (args.prompt_tokens as usize, args.decode_tokens as usize);
    // The usual context, so that memory is what a chat takes, unless the prompt is longer than that.
    let context = Some(prompt_tokens + decode_tokens).filter(|needed| *needed > DEFAULT_CONTEXT);
    let start = Instant::now();
    let (options, tune) = tuned(args.device.load_options(context, args.kv), args);
    let mut engine = load_tuned(&args.model, options, tune)?;
    let mut rows = vec![Row::figure("load", start.elapsed().as_secs_f64(), "s")];
    rows.extend(held_beside_buffers(&engine));
    rows.extend(layers(&engine));

    // Counted first: that also runs every kernel once before speed is measured.
    let counts = counts_per_token(&mut engine)?;
    let prompt = engine.any_prompt(prompt_tokens);
    let Speeds { prefill, decode, beside_products } = speeds(&mut engine, &prompt, args)?;
    rows.extend([Row::speed("prefill", prefill), Row::speed("decode", decode)]);
    rows.extend(guessing(&mut engine, args)?);
    if let (Backend::Gpu(model), Some(counts)) = (engine.backend(), counts) {
        rows.extend(count_rows(counts, most_dispatches(model)));
        rows.push(Row::most("decode against its products alone", beside_products, MOST_BESIDE_PRODUCTS));
        let read = model.bytes_per_token() as f64;
        rows.push(Row::most(
            "weights read, of those there are",
            vec![read / model.bytes_to_read() as f64],
            MOST_READ,
        ));
        rows.push(Row::figure("weights read a token", read / MIB, "MiB"));
        rows.push(Row::figure("memory on the device", model.device_bytes() as f64 / MIB, "MiB"));
    }
    match args.json {
        true => print_json(&rows),
        false => Ok(print(&table(&engine, &rows))?),
    }
}

/// What came of each run.
#[derive(Debug, Default)]
struct Speeds {
    prefill: Vec<f64>,
    decode: Vec<f64>,
    /// How much longer decoding takes than its products; none on the CPU.
    beside_products: Vec<f64>,
}

/// Each run reads a prompt and then generates, so that prefill and decode meet the same disturbances; and what products take
/// is measured before and after it, so that what slows the machine down meanwhile counts on both sides.
fn speeds(engine: &mut Engine, prompt: &[u32], args: &BenchArgs) -> Result<Speeds> {
    let tokens = args.decode_tokens as usize;
    let mut speeds = Speeds::default();
    for run in 1..=args.runs {
        let before = pollster::block_on(engine.measure_products(tokens))?;
        let usage = pollster::block_on(engine.measure(prompt, tokens, Speculate::Never))?;
        let after = pollster::block_on(engine.measure_products(tokens))?;
        let (prefill, decode) = (usage.prefill_tokens_per_second, usage.decode_tokens_per_second);
        tell(&format!("run {run} of {}: prefill {prefill:.2} tok/s, decode {decode:.2} tok/s", args.runs));
        speeds.prefill.push(prefill);
        speeds.decode.push(decode);
        let alone = before.zip(after).map(|(before, after)| (before + after) / 2.0);
        speeds.beside_products.extend(alone.map(|seconds| tokens as f64 / seconds / decode));
    }
    Ok(speeds)
}

/// Kernels are the GPU's, so whoever wants them tried gets one.
fn tuned(options: LoadOptions, args: &BenchArgs) -> (LoadOptions, Tune) {
    match (args.tune, options.device) {
        (false, _) => (options, Tune::Once),
        (true, Device::Fastest) => {
            (LoadOptions { device: Device::Gpu(TierChoice::Auto), ..options }, Tune::Anew)
        }
        (true, _) => (options, Tune::Anew),
    }
}

/// What a token takes in one layer by each kind of kernels, alone and among many, if they were tried.
fn layers(engine: &Engine) -> Vec<Row> {
    let Some(report) = engine.tuning() else { return Vec::new() };
    let row = |name: String, row: &TuningRow| Some(Row::figure(name, row.microseconds?, "µs"));
    let alone = report.rows.iter().filter_map(|it| row(format!("a layer, {}", it.kernels.words()), it));
    let many = report.prefill.iter().flat_map(|prefill| &prefill.rows);
    let many = many.filter_map(|it| row(format!("of many, a layer, {}", it.kernels.numbers()), it));
    alone.chain(many).collect()
}

/// The most memory that the process has had so far, without the weights if they lie in it, as a software GPU's do.
/// Caches of keys and values have not been touched yet, so they take none.
fn held_beside_buffers(engine: &Engine) -> Option<Row> {
    let Backend::Gpu(model) = engine.backend() else { return None };
    let weights = if engine.device().software { model.weight_bytes() } else { 0 };
    let held = peak_memory()?.saturating_sub(weights) as f64 / MIB;
    let name = "held beside the GPU's buffers, loading";
    Some(Row { wanted: Some(MOST_HELD_MIB), ..Row::figure(name, held, "MiB") })
}

/// How long it takes to say again what the prompt says, with guesses against without; none if the prompt is too short to
/// say anything twice.
fn guessing(engine: &mut Engine, args: &BenchArgs) -> Result<Option<Row>> {
    let said = engine.encode_prompt(SAID).unwrap_or_default();
    let tokens = args.prompt_tokens as usize;
    if said.is_empty() || tokens < 2 * said.len() {
        return Ok(None);
    }
    let prompt: Vec<u32> = said.into_iter().cycle().take(tokens).collect();
    let mut speed = |speculate| {
        let usage = pollster::block_on(engine.measure(&prompt, args.decode_tokens as usize, speculate))?;
        anyhow::Ok(usage.decode_tokens_per_second)
    };
    // The first guess compiles what checks it.
    speed(Speculate::Always)?;
    let mut ratios = Vec::new();
    for _ in 0..args.runs {
        ratios.push(speed(Speculate::Never)? / speed(Speculate::WhereFaster)?);
    }
    Ok(Some(Row::most("saying again, guessing against not", ratios, 1.0)))
}

/// What decoding asks of the GPU, over [`COUNTED`] tokens: the difference between a long answer and a short one.
fn counts_per_token(engine: &mut Engine) -> Result<Option<Counts>> {
    let mut counts = |tokens| {
        let before = gpu_counts(engine);
        pollster::block_on(engine.measure(&engine.any_prompt(1), tokens, Speculate::Never))?;
        let after = gpu_counts(engine);
        anyhow::Ok(after.zip(before).map(|(after, before)| after - before))
    };
    // The first answer makes the buffers that all later ones are read back through.
    let (_, short, long) = (counts(1 + COUNTED)?, counts(1)?, counts(1 + COUNTED)?);
    Ok(long.zip(short).map(|(long, short)| long - short))
}

fn gpu_counts(engine: &Engine) -> Option<Counts> {
    match engine.backend() {
        Backend::Gpu(model) => Some(model.gpu().counts()),
        Backend::Cpu(_) => None,
    }
}

fn most_dispatches(model: &llama::Model) -> usize {
    let layers = model.config().num_hidden_layers;
    let more = match model.gpu().tier() {
        Tier::Int8 => layers * PRODUCTS_A_LAYER + PRODUCTS_BESIDES,
        Tier::Plain if model.gpu().report().software => layers * COMBINATIONS_A_LAYER,
        Tier::Plain | Tier::Subgroups { .. } => 0,
    };
    layers * DISPATCHES_A_LAYER + DISPATCHES_BESIDES + more
}

fn count_rows(counts: Counts, most_dispatches: usize) -> [Row; 5] {
    let row = |name, total: u64, unit, wanted: Option<usize>| Row {
        wanted: wanted.map(|most| most as f64),
        ..Row::figure(name, total as f64 / COUNTED as f64, unit)
    };
    [
        row("dispatches a token", counts.dispatches, "", Some(most_dispatches)),
        row("submits a token", counts.submits, "", Some(1)),
        row("read back a token", counts.bytes_read, "bytes", Some(4)),
        row("written a token", counts.bytes_written, "bytes", None),
        row("objects created a token", counts.objects_created, "", Some(0)),
    ]
}

impl Row {
    fn figure(name: impl Into<Cow<'static, str>>, value: f64, unit: &'static str) -> Row {
        Row { name: name.into(), value, unit, wanted: None, least: None, most: None }
    }

    /// The median of several runs, between the slowest and the fastest.
    fn speed(name: &'static str, runs: Vec<f64>) -> Row {
        Row { unit: "tok/s", ..Row::median(name, runs) }
    }

    /// The median of several ratios, and what it may be at most.
    fn most(name: &'static str, runs: Vec<f64>, most: f64) -> Row {
        Row { wanted: Some(most), ..Row::median(name, runs) }
    }

    fn median(name: &'static str, mut runs: Vec<f64>) -> Row {
        runs.sort_by(f64::total_cmp);
        let median = runs.get(runs.len() / 2).copied().unwrap_or(f64::NAN);
        Row { least: runs.first().copied(), most: runs.last().copied(), ..Row::figure(name, median, "") }
    }
}

fn table(engine: &Engine, rows: &[Row]) -> String {
    let mut table = format!("{} on {}\n", engine.info().name, engine.device().adapter);
    for Row { name, value, unit, wanted, least, most } in rows {
        // Writing to a `String` cannot fail.
        let _ = write!(table, "  {name:38} {value:10.2} {unit}");
        if let Some((least, most)) = least.zip(*most) {
            let _ = write!(table, " ({least:.2} to {most:.2})");
        }
        if let Some(wanted) = wanted {
            let _ = write!(table, " (at most {wanted})");
        }
        table.push('\n');
    }
    engine.tuning().into_iter().for_each(|report| table.push_str(&tuning::table(report)));
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speeds_are_medians() {
        let row = Row::speed("decode", vec![7.0, 2.0, 5.0]);
        assert_eq!((row.value, row.least, row.most), (5.0, Some(2.0), Some(7.0)));
    }

    #[test]
    fn rows_leave_out_what_they_do_not_have() {
        let json = serde_json::to_string(&Row::figure("load", 0.5, "s")).unwrap();
        assert_eq!(json, r#"{"name":"load","value":0.5,"unit":"s"}"#);
    }
}
