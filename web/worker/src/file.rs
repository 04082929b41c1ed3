//! Files that the person picked, read by ranges. Nothing is copied but the range.

use std::ops::Range;

use js_sys::Uint8Array;
use store::{Files, Source, StoreError};
use wasm_bindgen_futures::JsFuture;
use web_sys::File;

use crate::fetch::{self, append};

/// A local file.
pub(crate) struct FileSource {
    name: String,
    file: File,
}

impl FileSource {
    pub(crate) fn new(file: File) -> FileSource {
        FileSource { name: file.name(), file }
    }
}

/// Files that the person picked or dropped together.
pub(crate) struct Picked {
    files: Vec<File>,
    named: String,
}

impl Picked {
    /// `named` is the one to begin with.
    pub(crate) fn new(files: Vec<File>, named: String) -> Picked {
        Picked { files, named }
    }
}

impl Files for Picked {
    type Source<'a> = FileSource;

    fn name(&self) -> &str {
        &self.named
    }

    /// A folder's files come with its `config.json`.
    fn named(&self) -> Option<&str> {
        let is_folder = self.files.iter().any(|file| file.name() == "config.json");
        (!is_folder).then_some(&self.named)
    }

    async fn open(&self, name: &str) -> Result<FileSource, StoreError> {
        let file = self.files.iter().find(|file| file.name() == name);
        let absent = || StoreError::Absent { name: name.to_string() };
        Ok(FileSource::new(file.ok_or_else(absent)?.clone()))
    }

    fn key(&self, name: &str) -> String {
        name.to_string()
    }
}

impl Source for FileSource {
    fn name(&self) -> &str {
        &self.name
    }

    async fn size(&self, _next: u64) -> Result<u64, StoreError> {
        Ok(self.file.size() as u64)
    }

    async fn read(
        &self,
        range: Range<u64>,
        into: &mut Vec<u8>,
        arrived: &mut dyn FnMut(u64),
    ) -> Result<(), StoreError> {
        let unreadable =
            |error| StoreError::Unreadable { name: self.name.clone(), detail: fetch::describe(&error) };
        let slice =
            self.file.slice_with_f64_and_f64(range.start as f64, range.end as f64).map_err(unreadable)?;
        let buffer = JsFuture::from(slice.array_buffer()).await.map_err(unreadable)?;
        let bytes = Uint8Array::new(&buffer);
        append(&bytes, into);
        arrived(u64::from(bytes.length()));
        Ok(())
    }

    async fn pause(&self, milliseconds: u32) {
        fetch::pause(milliseconds).await;
    }

    fn version(&self) -> Option<String> {
        None
    }
}
