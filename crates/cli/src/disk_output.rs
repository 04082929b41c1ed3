//! The folder that a model is converted into, on this machine's disk.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use convert::Output;

/// A folder, which need not be there yet.
pub(crate) struct DiskOutput(pub(crate) PathBuf);

impl DiskOutput {
    fn said(&self, name: &str, error: &io::Error) -> String {
        format!("{}: {error}", self.0.join(name).display())
    }

    fn try_write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        std::fs::create_dir_all(&self.0)?;
        let mut file = File::create(self.0.join(name))?;
        file.write_all(bytes)?;
        file.sync_all()
    }
}

impl Output for DiskOutput {
    fn names(&self) -> Result<Vec<String>, String> {
        let entries = match std::fs::read_dir(&self.0) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(|error| self.said("", &error))?,
        };
        let name = |entry: io::Result<std::fs::DirEntry>| {
            let entry = entry.map_err(|error| self.said("", &error))?;
            Ok(entry.file_name().to_string_lossy().into_owned())
        };
        entries.map(name).collect()
    }

    fn read(&self, name: &str) -> Result<Option<Vec<u8>>, String> {
        match std::fs::read(self.0.join(name)) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            bytes => bytes.map(Some).map_err(|error| self.said(name, &error)),
        }
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), String> {
        self.try_write(name, bytes).map_err(|error| self.said(name, &error))
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), String> {
        std::fs::rename(self.0.join(from), self.0.join(to)).map_err(|error| self.said(to, &error))?;
        sync_folder(&self.0).map_err(|error| self.said("", &error))
    }

    fn remove(&self, name: &str) -> Result<(), String> {
        match std::fs::remove_file(self.0.join(name)) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(self.said(name, &error)),
            _ => Ok(()),
        }
    }
}

/// A name reaches the disk with its folder; Windows has no way to say so, and needs none.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}
