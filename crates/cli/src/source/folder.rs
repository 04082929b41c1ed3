//! A model in files of this machine: a folder, or one file and what lies beside it.

use std::io;
use std::path::{Path, PathBuf};

use store::{Files, StoreError};

use super::file::FileSource;

/// A folder of files, or the one that a named file is in.
pub(crate) struct Folder {
    /// As it was asked for.
    name: String,
    folder: PathBuf,
    named: Option<String>,
}

impl Folder {
    /// Fails unless it is a folder, or a file that can be read.
    pub(crate) fn of(path: &Path) -> io::Result<Folder> {
        let name = path.display().to_string();
        if std::fs::metadata(path)?.is_dir() {
            return Ok(Folder { name, folder: path.to_owned(), named: None });
        }
        FileSource::open(path)?;
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        // Names that are not UTF-8 have no siblings that could be looked for, and are the whole path.
        let named = path.file_name().and_then(|name| name.to_str());
        Ok(match named {
            Some(named) => Folder { name, folder, named: Some(named.to_owned()) },
            None => Folder { named: Some(name.clone()), name, folder: PathBuf::new() },
        })
    }
}

impl Files for Folder {
    type Source<'a> = FileSource;

    fn name(&self) -> &str {
        &self.name
    }

    fn named(&self) -> Option<&str> {
        self.named.as_deref()
    }

    async fn open(&self, name: &str) -> Result<FileSource, StoreError> {
        let path = self.folder.join(name);
        FileSource::open(&path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => StoreError::Absent { name: path.display().to_string() },
            _ => StoreError::Unreadable { name: path.display().to_string(), detail: error.to_string() },
        })
    }

    fn key(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }
}

#[cfg(test)]
mod tests {
    use pollster::block_on;
    use store::Source;

    use super::*;

    #[test]
    fn files_and_folders() {
        let path = std::env::temp_dir().join(format!("pronk-folder-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        std::fs::write(path.join("a.gguf"), b"abc").unwrap();
        for (asked, named) in [(path.clone(), None), (path.join("a.gguf"), Some("a.gguf"))] {
            let folder = Folder::of(&asked).unwrap();
            assert_eq!((folder.named(), folder.name()), (named, asked.to_str().unwrap()));
            let source = block_on(folder.open("a.gguf")).unwrap();
            assert_eq!(block_on(source.size(0)), Ok(3));
            let absent = block_on(folder.open("b.gguf")).err().unwrap();
            assert!(absent.is_absence(), "{absent}");
        }
        assert!(Folder::of(&path.join("b.gguf")).is_err());
        std::fs::remove_dir_all(&path).unwrap();
    }
}
