//! What `convert` and `synthesize` have in common: weights go into a folder of pronk's own, and what became of them is said.

use std::fmt::Write;
use std::path::Path;
use std::time::Instant;

use anyhow::Result;
use convert::{Options, Report, Source, TensorReport};
use format::Checkpoint;
use indicatif::{DecimalBytes, HumanCount};
use serde_json::json;

use crate::args::FolderArgs;
use crate::disk_output::DiskOutput;
use crate::memory::peak_memory;
use crate::output::{print, print_json, tell};
use crate::progress::byte_bar;

/// A conversion that is done.
pub(crate) struct Conversion {
    report: Report,
    seconds: f64,
    /// Bytes of the source that were dealt with a second.
    converting: f64,
}

impl Conversion {
    /// Writes the folder, with a bar that is called `what`.
    pub(crate) fn run(
        what: &'static str,
        checkpoint: &Checkpoint,
        source: &dyn Source,
        folder: &FolderArgs,
        options: &Options,
    ) -> Result<Conversion> {
        let (output, bar, started) = (DiskOutput(folder.out.clone()), byte_bar(what), Instant::now());
        let report = convert::convert(checkpoint, source, &output, options, &mut |progress| {
            bar.set_length(progress.total);
            bar.set_position(progress.done);
        });
        bar.finish_and_clear();
        let (report, seconds) = (report?, started.elapsed().as_secs_f64());
        let read: u64 = checkpoint.tensors.iter().map(|tensor| tensor.stored_bytes()).sum();
        Ok(Conversion { report, seconds, converting: read as f64 / seconds.max(1e-9) })
    }

    /// Says what was done. `copying` is how many bytes of the source are copied and hashed a second, if it lies anywhere.
    pub(crate) fn print(&self, folder: &FolderArgs, copying: Option<f64>) -> Result<()> {
        for warning in &self.report.warnings {
            tell(&format!("pronk: {warning}"));
        }
        match folder.json {
            true => print_json(&self.to_json(copying)),
            false => Ok(print(&self.text(&folder.out, copying))?),
        }
    }

    fn to_json(&self, copying: Option<f64>) -> serde_json::Value {
        let Conversion { report, seconds, converting } = self;
        let tensors = report.tensors.iter().map(
            |tensor| json!({"name": tensor.name, "from": tensor.from, "to": tensor.to, "loss": tensor.loss}),
        );
        json!({
            "bytes": report.bytes,
            "files": report.files,
            "shards": report.shards,
            "kept_shards": report.kept_shards,
            "bits_per_weight": bits(report),
            "seconds": seconds,
            "converting_bytes_per_second": converting,
            "copying_bytes_per_second": copying,
            "peak_memory_bytes": peak_memory(),
            "tensors": tensors.collect::<Vec<_>>(),
        })
    }

    fn text(&self, out: &Path, copying: Option<f64>) -> String {
        let Conversion { report, seconds, converting } = self;
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
        let speed = |speed: f64| DecimalBytes(speed as u64);
        let _ = write!(text, "  time         {seconds:.1} seconds, {}/s of the source", speed(*converting));
        if let Some(copying) = copying {
            let _ = write!(text, "; copying and hashing it: {}/s", speed(copying));
        }
        text + "\n"
    }
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
