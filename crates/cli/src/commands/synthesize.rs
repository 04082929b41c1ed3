//! `pronk synthesize`: a model of a true size, with random weights.

use std::fs::File;
use std::path::Path;
use std::time::Instant;

use anyhow::Result;
use convert::{ConvertError, Options, Output, Synthetic};
use indicatif::DecimalBytes;
use serde_json::json;
use store::Hash;

use super::conversion::Conversion;
use crate::args::{FolderArgs, SynthesizeArgs};
use crate::disk_output::DiskOutput;
use crate::output::{print, print_json};
use crate::progress::byte_bar;

const WEIGHTS: &str = "model.safetensors";

/// What it is called until it is whole.
const PART: &str = "model.safetensors.part";

pub(crate) fn synthesize(args: &SynthesizeArgs) -> Result<()> {
    let (size, config) = args.like.model();
    let synthetic = Synthetic::new(size, config, args.seed)?;
    let source_name = format!("random numbers of the seed {}", args.seed);
    if args.hub {
        return write_hub(&synthetic, &source_name, &args.folder);
    }
    let Synthetic { checkpoint, source, licences } = synthetic;
    let options = Options {
        quant: Some(args.quant.quant()),
        shard_size: args.folder.shard_size.0,
        source: source_name,
        licences,
        hash: |bytes| Hash::of(bytes).0,
    };
    Conversion::run("Synthesizing", &checkpoint, &source, &args.folder, &options)?.print(&args.folder, None)
}

/// A folder of Hugging Face's, its weights last: where they are, all is.
fn write_hub(synthetic: &Synthetic, source: &str, folder: &FolderArgs) -> Result<()> {
    let (output, started) = (DiskOutput(folder.out.clone()), Instant::now());
    let failed = |detail| ConvertError::Output { detail };
    if let Some(name) = output.names().map_err(failed)?.into_iter().find(|name| *name != PART) {
        return Err(ConvertError::NotOurs { name }.into());
    }
    let small = synthetic.small_files(source);
    for (name, bytes) in &small {
        output.write(name, bytes).map_err(failed)?;
    }
    write_weights(synthetic, &folder.out)?;
    output.rename(PART, WEIGHTS).map_err(failed)?;

    let small_bytes: u64 = small.iter().map(|(_, bytes)| bytes.len() as u64).sum();
    let bytes = small_bytes + std::fs::metadata(folder.out.join(WEIGHTS))?.len();
    let (files, seconds) = (small.len() + 1, started.elapsed().as_secs_f64());
    match folder.json {
        true => print_json(&json!({ "bytes": bytes, "files": files, "seconds": seconds })),
        false => {
            let (out, bytes) = (folder.out.display(), DecimalBytes(bytes));
            Ok(print(&format!("{out}: {bytes} in {files} files, {seconds:.1} seconds\n"))?)
        }
    }
}

fn write_weights(synthetic: &Synthetic, out: &Path) -> Result<(), ConvertError> {
    let failed = |error: std::io::Error| ConvertError::Output { detail: format!("{PART}: {error}") };
    let (mut file, bar) = (File::create(out.join(PART)).map_err(failed)?, byte_bar("Synthesizing"));
    synthetic.write_safetensors(&mut file, &mut |progress| {
        bar.set_length(progress.total);
        bar.set_position(progress.done);
    })?;
    bar.finish_and_clear();
    file.sync_all().map_err(failed)
}
