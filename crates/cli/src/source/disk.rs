//! Where the pieces of fetched models rest: a folder of files in the user's cache.
//!
//! ```text
//! <cache>/pronk/pieces/<SHA-256 of the address>/00000.piece, 00001.piece …, record
//! ```
//!
//! A file is written under another name, made to reach the disk, and then renamed: whoever finds it, finds it whole.
//! Two processes that fetch the same model do the same work twice, and harm nothing.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use store::{Hash, Record, Store, StoreError};

/// Models that came over HTTP.
pub(crate) struct DiskStore {
    folder: PathBuf,
}

impl DiskStore {
    /// The store in the user's cache folder, if the environment tells of one.
    pub(crate) fn of_user() -> Option<DiskStore> {
        Some(DiskStore { folder: cache_folder()?.join("pieces") })
    }

    fn folder(&self, model: &str) -> PathBuf {
        self.folder.join(Hash::of(model.as_bytes()).to_string())
    }

    fn piece_path(&self, model: &str, index: u32) -> PathBuf {
        self.folder(model).join(format!("{index:05}.piece"))
    }

    fn record_path(&self, model: &str) -> PathBuf {
        self.folder(model).join("record")
    }
}

impl Store for DiskStore {
    type Held = Vec<u8>;

    fn hold(&self, bytes: Vec<u8>) -> Vec<u8> {
        bytes
    }

    async fn piece(&self, model: &str, index: u32) -> Result<Option<Vec<u8>>, StoreError> {
        read(&self.piece_path(model, index))
    }

    async fn keep_piece(&self, model: &str, index: u32, bytes: &Vec<u8>) -> Result<(), StoreError> {
        write(&self.piece_path(model, index), bytes)
    }

    /// A record that is damaged is as good as none: everything is fetched again.
    async fn record(&self, model: &str) -> Result<Option<Record>, StoreError> {
        Ok(read(&self.record_path(model))?.and_then(|bytes| Record::from_bytes(&bytes).ok()))
    }

    async fn keep_record(&self, model: &str, record: &Record) -> Result<(), StoreError> {
        write(&self.record_path(model), &record.to_bytes())
    }

    async fn forget(&self, model: &str) -> Result<(), StoreError> {
        let folder = self.folder(model);
        for removed in [std::fs::remove_file(self.record_path(model)), std::fs::remove_dir_all(&folder)] {
            match removed {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(&folder, &error)),
                _ => {}
            }
        }
        Ok(())
    }
}

/// Where the user's caches have room for pronk's, if the environment tells of such a place.
pub(super) fn cache_folder() -> Option<PathBuf> {
    let variable = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let caches = variable("XDG_CACHE_HOME")
        .or_else(|| variable("LOCALAPPDATA"))
        .or_else(|| variable("HOME").map(|home| home.join(".cache")))?;
    Some(caches.join("pronk"))
}

/// What a file holds; none if it is not there.
pub(super) fn read(path: &Path) -> Result<Option<Vec<u8>>, StoreError> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(path, &error)),
    }
}

/// Puts bytes in a file, whole or not at all.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let part = part(path);
    write_and_rename(path, &part, bytes).map_err(|error| {
        // What is left of a failed write helps nobody, least of all on a full disk.
        let _ = std::fs::remove_file(&part);
        failed(path, &error)
    })
}

fn write_and_rename(path: &Path, part: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut file = File::create(part)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(part, path)
}

/// The name while it is written; another process has another.
fn part(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(format!(".{}.part", std::process::id()));
    name.into()
}

fn failed(path: &Path, error: &io::Error) -> StoreError {
    let detail = format!("{}: {error}", path.display());
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => StoreError::Quota { detail },
        _ => StoreError::Storage { detail },
    }
}

#[cfg(test)]
mod tests {
    use pollster::block_on;

    use super::*;

    /// A store in a folder of its own, removed at the end.
    struct Scratch(DiskStore);

    impl Scratch {
        fn new(name: &str) -> Scratch {
            let folder = std::env::temp_dir().join(format!("pronk-disk-{}-{name}", std::process::id()));
            Scratch(DiskStore { folder })
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0.folder);
        }
    }

    const URL: &str = "http://localhost/a?token=x/../..";

    fn record() -> Record {
        Record { size: 3, version: Some("\"1\"".into()), pieces: vec![Some(Hash::of(b"abc"))] }
    }

    #[test]
    fn keeps_and_forgets() {
        let scratch = Scratch::new("keeps");
        let store = &scratch.0;
        assert_eq!(block_on(store.piece(URL, 0)), Ok(None));
        assert_eq!(block_on(store.record(URL)), Ok(None));
        block_on(store.forget(URL)).unwrap();
        for bytes in [b"first", b"later"] {
            block_on(store.keep_piece(URL, 7, &bytes.to_vec())).unwrap();
            assert_eq!(block_on(store.piece(URL, 7)), Ok(Some(bytes.to_vec())));
        }
        block_on(store.keep_record(URL, &record())).unwrap();
        assert_eq!(block_on(store.record(URL)), Ok(Some(record())));
        assert_eq!(block_on(store.record("http://localhost/b")), Ok(None), "another model");
        let names = std::fs::read_dir(store.folder(URL)).unwrap().map(|entry| entry.unwrap().file_name());
        assert_eq!(names.count(), 2, "nothing half-written is left");
        block_on(store.forget(URL)).unwrap();
        assert_eq!((block_on(store.piece(URL, 7)), block_on(store.record(URL))), (Ok(None), Ok(None)));
    }

    #[test]
    fn a_damaged_record_is_no_record() {
        let scratch = Scratch::new("damaged");
        block_on(scratch.0.keep_record(URL, &record())).unwrap();
        std::fs::write(scratch.0.record_path(URL), b"PRONKREC").unwrap();
        assert_eq!(block_on(scratch.0.record(URL)), Ok(None));
    }

    #[test]
    fn says_where_it_cannot_write() {
        let scratch = Scratch::new("blocked");
        std::fs::write(&scratch.0.folder, b"a file where the folder should be").unwrap();
        let error = block_on(scratch.0.keep_piece(URL, 0, &b"abc".to_vec())).unwrap_err();
        assert!(matches!(&error, StoreError::Storage { detail } if detail.contains("pronk-disk")), "{error}");
        std::fs::remove_file(&scratch.0.folder).unwrap();
    }
}
