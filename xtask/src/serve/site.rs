//! Which file a path means. Nothing outside the mounted folders is ever opened.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// A folder that is served under a path.
#[derive(Clone, Debug)]
pub struct Mount {
    /// Begins and ends with `/`.
    pub path: String,
    /// What is served there.
    pub folder: PathBuf,
}

/// All that a server serves. Where two mounts fit a path, the one with the longer path counts.
#[derive(Clone, Debug)]
pub struct Site {
    mounts: Vec<Mount>,
}

/// A file that is there, opened.
pub(super) struct Found {
    pub(super) file: File,
    pub(super) name: String,
    pub(super) size: u64,
    pub(super) etag: String,
}

/// Why there is no file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Missing {
    /// Nothing there, or nothing that may be seen.
    NotFound,
    /// It is a folder: its address ends with `/`, or relative links would lead astray.
    MovedTo(String),
}

impl Site {
    /// Links are resolved here, once, so that a link out of a folder can be told from one into it.
    ///
    /// # Errors
    /// A folder does not exist, or a mount's path does not begin and end with `/`.
    pub fn new(mut mounts: Vec<Mount>) -> io::Result<Site> {
        for mount in &mut mounts {
            if !mount.path.starts_with('/') || !mount.path.ends_with('/') {
                let message =
                    format!("a mount's path begins and ends with /, this one does not: {}", mount.path);
                return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
            }
            mount.folder = mount.folder.canonicalize().map_err(|error| {
                io::Error::new(error.kind(), format!("{} cannot be served: {error}", mount.folder.display()))
            })?;
        }
        mounts.sort_by_key(|mount| std::cmp::Reverse(mount.path.len()));
        Ok(Site { mounts })
    }

    /// Opens what `path` (percent-encoded, without a query) means.
    pub(super) fn open(&self, path: &str) -> Result<Found, Missing> {
        let decoded = percent_decode(path).ok_or(Missing::NotFound)?;
        let fits = |mount: &&Mount| decoded.starts_with(&mount.path) || format!("{decoded}/") == mount.path;
        let mount = self.mounts.iter().find(fits).ok_or(Missing::NotFound)?;
        let Some(below) = decoded.strip_prefix(&mount.path) else {
            return Err(Missing::MovedTo(format!("{path}/")));
        };
        let wanted = mount.folder.join(safe_relative(below).ok_or(Missing::NotFound)?);
        let real = wanted.canonicalize().map_err(|_| Missing::NotFound)?;
        if !real.starts_with(&mount.folder) {
            return Err(Missing::NotFound);
        }
        if !real.is_dir() {
            return open_file(&real).map_err(|_| Missing::NotFound);
        }
        if path.ends_with('/') {
            open_file(&real.join("index.html")).map_err(|_| Missing::NotFound)
        } else {
            Err(Missing::MovedTo(format!("{path}/")))
        }
    }
}

fn open_file(path: &Path) -> io::Result<Found> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::ErrorKind::NotFound.into());
    }
    let modified = metadata.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let etag = format!("\"{:x}-{modified:x}\"", metadata.len());
    Ok(Found { file, name, size: metadata.len(), etag })
}

/// Refuses `..`, hidden files, and what only some systems take for a separator or an end.
fn safe_relative(path: &str) -> Option<PathBuf> {
    if path.contains(['\\', '\0', ':']) {
        return None;
    }
    let mut relative = PathBuf::new();
    for segment in path.trim_end_matches('/').split('/') {
        if segment.starts_with('.') || (segment.is_empty() && !path.is_empty()) {
            return None;
        }
        relative.push(segment);
    }
    Some(relative)
}

fn percent_decode(path: &str) -> Option<String> {
    let mut bytes = path.bytes();
    let mut decoded = Vec::with_capacity(path.len());
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let high = char::from(bytes.next()?).to_digit(16)?;
        let low = char::from(bytes.next()?).to_digit(16)?;
        decoded.push(u8::try_from(high * 16 + low).ok()?);
    }
    String::from_utf8(decoded).ok()
}
