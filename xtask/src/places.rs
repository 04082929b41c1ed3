//! Where things lie: the repository, the build folder, and the cache that outlives clones.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The three folders that everything else is found from.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    /// The repository.
    pub(crate) root: PathBuf,
    /// Cargo's build folder; all that is ours lies in it too.
    pub(crate) target: PathBuf,
    /// Tools and models, shared by all clones of this user.
    pub(crate) cache: PathBuf,
}

impl Places {
    /// Finds them from the environment that `cargo run` leaves, and makes the cache folder.
    pub(crate) fn find() -> Result<Places> {
        let here =
            std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
        let root = Path::new(&here).parent().context("xtask is a folder of the repository")?.to_owned();
        let target = match std::env::var_os("CARGO_TARGET_DIR") {
            Some(target) => root.join(target),
            None => root.join("target"),
        };
        let cache =
            cache_folder().context("Set XDG_CACHE_HOME or HOME, so that tools can be kept somewhere.")?;
        std::fs::create_dir_all(&cache).with_context(|| format!("{} could not be made", cache.display()))?;
        std::fs::create_dir_all(&target)
            .with_context(|| format!("{} could not be made", target.display()))?;
        Ok(Places { root, target, cache })
    }
}

fn cache_folder() -> Option<PathBuf> {
    let variable = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let caches = variable("XDG_CACHE_HOME").or_else(|| variable("HOME").map(|home| home.join(".cache")))?;
    Some(caches.join("pronk"))
}

/// Makes `path` an empty folder.
pub(crate) fn empty_folder(path: &Path) -> Result<()> {
    remove(path)?;
    std::fs::create_dir_all(path).with_context(|| format!("{} could not be made", path.display()))
}

/// Removes a folder with all that is in it; one that is not there is fine.
pub(crate) fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("{} could not be removed", path.display()))
        }
        _ => Ok(()),
    }
}

/// All files below `folder`, in a fixed order.
pub(crate) fn files_below(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries =
            std::fs::read_dir(&folder).with_context(|| format!("{} could not be read", folder.display()))?;
        for entry in entries {
            let entry = entry?;
            let list = if entry.file_type()?.is_dir() { &mut folders } else { &mut files };
            list.push(entry.path());
        }
    }
    files.sort();
    Ok(files)
}
