//! Where small values rest between runs: a file each, in the user's cache.
//!
//! ```text
//! <cache>/pronk/aside/<SHA-256 of the name>
//! ```

use std::path::PathBuf;

use store::{Aside, Hash, StoreError};

use super::disk::{cache_folder, read, write};

/// Small values of this user's; nothing is kept where there is no folder.
pub(crate) struct DiskAside {
    folder: Option<PathBuf>,
}

impl DiskAside {
    /// In the user's cache folder, if the environment tells of one.
    pub(crate) fn of_user() -> DiskAside {
        DiskAside { folder: cache_folder().map(|folder| folder.join("aside")) }
    }

    /// Keeps nothing.
    pub(crate) fn nowhere() -> DiskAside {
        DiskAside { folder: None }
    }

    /// Whether it keeps anything.
    pub(crate) fn keeps(&self) -> bool {
        self.folder.is_some()
    }

    fn path(&self, name: &str) -> Option<PathBuf> {
        Some(self.folder.as_ref()?.join(Hash::of(name.as_bytes()).to_string()))
    }
}

impl Aside for DiskAside {
    async fn value(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.path(name).map_or(Ok(None), |path| read(&path))
    }

    async fn keep_value(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        self.path(name).map_or(Ok(()), |path| write(&path, bytes))
    }
}

#[cfg(test)]
mod tests {
    use pollster::block_on;

    use super::*;

    #[test]
    fn values_come_back_where_there_is_a_folder() {
        let folder = std::env::temp_dir().join(format!("pronk-aside-{}", std::process::id()));
        for (aside, keeps) in
            [(DiskAside { folder: Some(folder.clone()) }, true), (DiskAside::nowhere(), false)]
        {
            assert_eq!((block_on(aside.value("../a")), aside.keeps()), (Ok(None), keeps));
            for bytes in [b"first", b"later"] {
                block_on(aside.keep_value("../a", bytes)).unwrap();
                assert_eq!(block_on(aside.value("../a")), Ok(keeps.then(|| bytes.to_vec())));
            }
            assert_eq!(block_on(aside.value("b")), Ok(None));
        }
        std::fs::remove_dir_all(folder).unwrap();
    }
}
