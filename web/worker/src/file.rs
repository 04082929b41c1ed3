//! A file that the person picked, read by ranges. Nothing is copied but the range.

use std::ops::Range;

use js_sys::Uint8Array;
use store::{Source, StoreError};
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
