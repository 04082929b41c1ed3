//! `pronk convert`: a model of any kind becomes a folder of pronk's own.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use convert::{Options, Report, Source, TensorReport};
use engine::Container;
use indicatif::{DecimalBytes, HumanCount};
use serde_json::json;
use store::Hash;

use crate::args::ConvertArgs;
use crate::disk_output::DiskOutput;
use crate::location::Location;
use crate::output::{print, print_json, tell};
use crate::progress::byte_bar;
use crate::source::{Weights, open_weights};

/// Bytes of the source that are copied and hashed, to compare with.
const MOST_COPIED: u64 = 256 << 20;
const COPIED_AT_ONCE: u64 = 8 << 20;

/// Bytes of the source a second.
struct Speeds {
    seconds: f64,
    converting: f64,
    copying: f64,
}

pub(crate) fn convert(args: &ConvertArgs) -> Result<()> {
    let Weights { header, source, licences } = open_weights(&args.source)?;
    check_folders(args, &header.container)?;
    let (output, bar) = (DiskOutput(args.out.clone()), byte_bar("Converting"));
    let options = Options {
        quant: args.quant.map(|quant| quant.quant()),
        shard_size: args.shard_size.0,
        source: source_name(&args.source),
        licences,
        hash: |bytes| Hash::of(bytes).0,
    };
    let started = Instant::now();
    let report = convert::convert(&header.checkpoint, &*source, &output, &options, &mut |progress| {
        bar.set_length(progress.total);
        bar.set_position(progress.done);
    });
    bar.finish_and_clear();
    let (report, seconds) = (report?, started.elapsed().as_secs_f64());
    let read: u64 = header.checkpoint.tensors.iter().map(|tensor| tensor.stored_bytes()).sum();
    let copying = copying(&*source, &header.checkpoint.file_sizes, &args.out)?;
    let speeds = Speeds { seconds, converting: read as f64 / seconds.max(1e-9), copying };
    for warning in &report.warnings {
        tell(&format!("pronk: {warning}"));
    }
    match args.json {
        true => print_json(&to_json(&report, &speeds)),
        false => Ok(print(&text(&args.out, &report, &speeds))?),
    }
}

/// What the source is called to others: never with the folders of this machine.
fn source_name(source: &Location) -> String {
    match source {
        Location::Url(url) => url.split(['?', '#']).next().unwrap_or(url).to_owned(),
        Location::Path(path) => {
            let absolute = path.canonicalize().unwrap_or_else(|_| path.clone());
            absolute.file_name().map_or_else(|| "a folder".into(), |name| name.to_string_lossy().into_owned())
        }
    }
}

/// That the source is not written over while it is read, and that one of our own is whole.
fn check_folders(args: &ConvertArgs, container: &Container) -> Result<()> {
    let Location::Path(path) = &args.source else {
        return match container {
            Container::Pronk => {
                bail!("Converting a folder of pronk's from an address is not supported; download it first")
            }
            _ => Ok(()),
        };
    };
    let source = if path.is_dir() { path.as_path() } else { path.parent().unwrap_or(path) };
    let source = if source == Path::new("") { Path::new(".") } else { source };
    if args.out.canonicalize().ok() == Some(source.canonicalize()?) {
        bail!("The output folder {} is the source's own; choose another", args.out.display());
    }
    match container {
        Container::Pronk => super::verify::check(source).map(drop),
        _ => Ok(()),
    }
}

/// How fast the source's first bytes are read, hashed and written, which is the least that any conversion does.
fn copying(source: &dyn Source, sizes: &[u64], out: &Path) -> Result<f64> {
    let path = out.join("copy.part");
    let (started, mut copied) = (Instant::now(), 0);
    let mut copy = File::create(&path).context("A copy can't be written")?;
    let mut bytes = Vec::new();
    'files: for (file, size) in sizes.iter().enumerate() {
        let mut at = 0;
        while at < *size {
            if copied >= MOST_COPIED {
                break 'files;
            }
            bytes.clear();
            let end = size.min(&(at + COPIED_AT_ONCE)).to_owned();
            source.read(file, at..end, &mut bytes).map_err(anyhow::Error::msg)?;
            std::hint::black_box(Hash::of(&bytes));
            copy.write_all(&bytes).context("A copy can't be written")?;
            (copied, at) = (copied + (end - at), end);
        }
    }
    copy.sync_all().context("A copy can't be written")?;
    let seconds = started.elapsed().as_secs_f64();
    std::fs::remove_file(&path).context("A copy can't be removed")?;
    Ok(copied as f64 / seconds.max(1e-9))
}

fn bits(report: &Report) -> f64 {
    report.weight_bytes as f64 * 8.0 / report.weights.max(1) as f64
}

/// The worst of those that were quantized, and how many there were.
fn worst(report: &Report) -> Option<(&TensorReport, f64, usize)> {
    let lossy = report.tensors.iter().filter_map(|tensor| tensor.loss.map(|loss| (tensor, loss)));
    let count = lossy.clone().count();
    lossy.max_by(|a, b| a.1.total_cmp(&b.1)).map(|(tensor, loss)| (tensor, loss, count))
}

fn to_json(report: &Report, speeds: &Speeds) -> serde_json::Value {
    let tensors = report.tensors.iter().map(
        |tensor| json!({"name": tensor.name, "from": tensor.from, "to": tensor.to, "loss": tensor.loss}),
    );
    json!({
        "bytes": report.bytes,
        "files": report.files,
        "shards": report.shards,
        "kept_shards": report.kept_shards,
        "bits_per_weight": bits(report),
        "seconds": speeds.seconds,
        "converting_bytes_per_second": speeds.converting,
        "copying_bytes_per_second": speeds.copying,
        "tensors": tensors.collect::<Vec<_>>(),
    })
}

fn text(out: &Path, report: &Report, speeds: &Speeds) -> String {
    let [converting, copying] = [speeds.converting, speeds.copying].map(|speed| DecimalBytes(speed as u64));
    let mut text = format!(
        "{}\n  size         {} in {} files, {} of them shards\n  weights      {}, {:.2} bits each\n",
        out.display(),
        DecimalBytes(report.bytes),
        report.files,
        report.shards,
        HumanCount(report.weights),
        bits(report),
    );
    // Writing to a `String` cannot fail.
    if report.kept_shards > 0 {
        let _ = writeln!(text, "  kept         {} shards of an earlier run", report.kept_shards);
    }
    if let Some((tensor, loss, count)) = worst(report) {
        let _ = writeln!(
            text,
            "  loss         {count} tensors quantized; the most lost {}, {:.2} % of its root mean square",
            tensor.name,
            100.0 * loss
        );
    }
    let _ = writeln!(
        text,
        "  time         {:.1} seconds, {converting}/s of the source; copying and hashing it: {copying}/s",
        speeds.seconds
    );
    text
}
