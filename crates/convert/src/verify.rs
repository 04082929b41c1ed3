//! Whether a folder is still what its manifest says.

use format::Manifest;

use crate::journal::{MANIFEST, read};
use crate::{ConvertError, HashFn, Output, hex};

/// A file that is not what it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Damage {
    /// It is gone.
    Missing {
        /// Its name.
        name: String,
    },
    /// It has other bytes.
    Changed {
        /// Its name.
        name: String,
        /// The manifest's SHA-256 and size.
        expected: String,
        /// What was found.
        found: String,
    },
}

impl std::fmt::Display for Damage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Damage::Missing { name } => write!(f, "{name} is missing"),
            Damage::Changed { name, expected, found } => {
                write!(f, "{name} is damaged: expected {expected}, found {found}")
            }
        }
    }
}

/// Hashes every file of a folder again, and gives the manifest and what disagrees with it. `progress` is told the bytes
/// that have been hashed, and all.
///
/// # Errors
/// If there is no manifest, or if it is damaged itself.
pub fn verify(
    output: &dyn Output,
    hash: HashFn,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<(Manifest, Vec<Damage>), ConvertError> {
    let bytes = read(output, MANIFEST)?.filter(|bytes| Manifest::is_ours(bytes));
    let manifest = Manifest::parse(&bytes.ok_or(ConvertError::NoManifest)?, hash)?;
    let total = manifest.files.iter().map(|file| file.size).fold(0, u64::saturating_add);
    let (mut done, mut damages) = (0u64, Vec::new());
    for file in &manifest.files {
        let name = file.name.clone();
        match read(output, &name)? {
            None => damages.push(Damage::Missing { name }),
            Some(bytes) => {
                let found = hash(&bytes);
                if found != file.sha256 || bytes.len() as u64 != file.size {
                    let say = |hash, size| format!("SHA-256 {} of {size} bytes", hex(hash));
                    let expected = say(&file.sha256, file.size);
                    damages.push(Damage::Changed { name, expected, found: say(&found, bytes.len() as u64) });
                }
            }
        }
        done = done.saturating_add(file.size);
        progress(done, total);
    }
    Ok((manifest, damages))
}
