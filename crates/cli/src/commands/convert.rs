//! `pronk convert`: a model of any kind becomes a folder of pronk's own.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use convert::{Options, Source};
use engine::Container;
use store::Hash;

use super::conversion::Conversion;
use crate::args::ConvertArgs;
use crate::location::Location;
use crate::source::{Weights, open_weights};

/// Bytes of the source that are copied and hashed, to compare with.
const MOST_COPIED: u64 = 256 << 20;
const COPIED_AT_ONCE: u64 = 8 << 20;

pub(crate) fn convert(args: &ConvertArgs) -> Result<()> {
    let Weights { header, source, licences } = open_weights(&args.source)?;
    check_folders(args, &header.container)?;
    let options = Options {
        quant: args.quant.map(|quant| quant.quant()),
        shard_size: args.folder.shard_size.0,
        source: source_name(&args.source),
        licences,
        hash: |bytes| Hash::of(bytes).0,
    };
    let conversion = Conversion::run("Converting", &header.checkpoint, &*source, &args.folder, &options)?;
    let copying = copying(&*source, &header.checkpoint.file_sizes, &args.folder.out)?;
    conversion.print(&args.folder, Some(copying))
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
    if args.folder.out.canonicalize().ok() == Some(source.canonicalize()?) {
        bail!("The output folder {} is the source's own; choose another", args.folder.out.display());
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
