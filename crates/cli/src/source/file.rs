//! A model in a file of this machine, read by ranges.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use store::{Source, StoreError};

/// An open file.
pub(crate) struct FileSource {
    name: String,
    size: u64,
    file: RefCell<File>,
}

impl FileSource {
    /// Fails unless it is a file that can be read.
    pub(crate) fn open(path: &Path) -> io::Result<FileSource> {
        // Asked before it is opened: to open a pipe is to wait for whoever writes into it.
        let metadata = std::fs::metadata(path)?;
        if !metadata.is_file() {
            return Err(io::Error::other("it is not a file"));
        }
        let (name, size) = (path.display().to_string(), metadata.len());
        Ok(FileSource { name, size, file: RefCell::new(File::open(path)?) })
    }

    fn unreadable(&self, error: &io::Error) -> StoreError {
        StoreError::Unreadable { name: self.name.clone(), detail: error.to_string() }
    }
}

impl Source for FileSource {
    fn name(&self) -> &str {
        &self.name
    }

    async fn size(&self, _next: u64) -> Result<u64, StoreError> {
        Ok(self.size)
    }

    async fn read(
        &self,
        range: Range<u64>,
        into: &mut Vec<u8>,
        arrived: &mut dyn FnMut(u64),
    ) -> Result<(), StoreError> {
        let mut file = self.file.borrow_mut();
        file.seek(SeekFrom::Start(range.start)).map_err(|error| self.unreadable(&error))?;
        let length = range.end - range.start;
        let came =
            file.by_ref().take(length).read_to_end(into).map_err(|error| self.unreadable(&error))? as u64;
        arrived(came);
        if came < length {
            // To try again is of no use: the file has become shorter since it was opened.
            let detail = format!("it ends at byte {}, expected {}", range.start + came, self.size);
            return Err(StoreError::Unreadable { name: self.name.clone(), detail });
        }
        Ok(())
    }

    async fn pause(&self, milliseconds: u32) {
        std::thread::sleep(Duration::from_millis(milliseconds.into()));
    }

    fn version(&self) -> Option<String> {
        None
    }
}

#[cfg(test)]
mod tests {
    use pollster::block_on;

    use super::*;

    #[test]
    fn reads_ranges_and_notices_a_file_that_shrinks() {
        let path = std::env::temp_dir().join(format!("pronk-file-{}", std::process::id()));
        std::fs::write(&path, b"0123456789").unwrap();
        let source = FileSource::open(&path).unwrap();
        assert_eq!(block_on(source.size(0)), Ok(10));
        let (mut into, mut arrived) = (b"before ".to_vec(), 0);
        for range in [8..10, 0..3, 5..5] {
            block_on(source.read(range, &mut into, &mut |count| arrived += count)).unwrap();
        }
        assert_eq!((into.as_slice(), arrived), (b"before 89012".as_slice(), 5));

        std::fs::write(&path, b"0123").unwrap();
        let error = block_on(source.read(2..10, &mut into, &mut |_| {})).unwrap_err();
        assert!(error.to_string().contains("ends at byte 4, expected 10"), "{error}");
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn what_is_no_file_is_said_at_once() {
        let folder = std::env::temp_dir();
        for (path, found) in
            [(folder.join("pronk-no-such-file"), "No such file"), (folder, "it is not a file")]
        {
            let error = FileSource::open(&path).err().map(|error| error.to_string()).unwrap_or_default();
            assert!(error.contains(found), "{}: {error}", path.display());
        }
    }
}
