//! `pronk verify`: whether a converted folder is still what it was.

use std::path::Path;

use anyhow::{Result, bail};
use format::Manifest;
use indicatif::DecimalBytes;
use serde_json::json;
use store::Hash;

use crate::args::VerifyArgs;
use crate::disk_output::DiskOutput;
use crate::output::{print, print_json};
use crate::progress::byte_bar;

/// Names that one sentence can take.
const MOST_NAMED: usize = 5;

pub(crate) fn verify(args: &VerifyArgs) -> Result<()> {
    let manifest = check(&args.folder)?;
    // That it is a model, too: complete, and with its notice.
    crate::source::read_folder_header(&args.folder)?;
    let bytes: u64 = manifest.files.iter().map(|file| file.size).sum();
    let files = manifest.files.len();
    match args.json {
        true => {
            let own = std::fs::read(args.folder.join("manifest.json"))?;
            let sha256 = Hash::of(&own).to_string();
            print_json(&json!({"files": files, "bytes": bytes, "manifest": sha256}))
        }
        false => Ok(print(&format!(
            "{}: {files} files of {} are as manifest.json says\n",
            args.folder.display(),
            DecimalBytes(bytes)
        ))?),
    }
}

/// Hashes all files; fails with the names of those that are damaged.
pub(crate) fn check(folder: &Path) -> Result<Manifest> {
    let bar = byte_bar("Hashing");
    let output = DiskOutput(folder.to_owned());
    let verified = convert::verify(&output, |bytes| Hash::of(bytes).0, &mut |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    let (manifest, damages) = verified?;
    if damages.is_empty() {
        return Ok(manifest);
    }
    let (count, files) = (damages.len(), manifest.files.len());
    let mut named: Vec<String> = damages.iter().take(MOST_NAMED).map(ToString::to_string).collect();
    if count > MOST_NAMED {
        named.push(format!("and {} more", count - MOST_NAMED));
    }
    bail!(
        "{count} of {files} files are not what they were: {}. Convert or fetch the folder again",
        named.join("; ")
    )
}
