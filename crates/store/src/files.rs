//! The files of one model: one that was named and what lies beside it, or a folder.

use std::collections::BTreeMap;

use crate::{Hash, MemorySource, Source, StoreError};

/// Where a model's files are.
#[allow(async_fn_in_trait, reason = "browsers run everything on one thread, so no caller wants Send futures")]
pub trait Files {
    /// One of the files.
    type Source<'a>: Source
    where
        Self: 'a;

    /// What messages call the model: its path or address as it was asked for.
    fn name(&self) -> &str;

    /// The file that was asked for; `None` if a folder was.
    fn named(&self) -> Option<&str>;

    /// Opens a file by its name in the folder. That it is not there may also show at its first use:
    /// either way the error [is absence](StoreError::is_absence).
    async fn open(&self, name: &str) -> Result<Self::Source<'_>, StoreError>;

    /// What a store knows a file by.
    fn key(&self, name: &str) -> String;

    /// SHA-256 of a file's pieces, if somebody has published them; else empty.
    fn expected(&self, _name: &str) -> &[Hash] {
        &[]
    }
}

/// Files in memory.
#[derive(Debug, Default)]
pub struct MemoryFiles {
    files: BTreeMap<String, MemorySource>,
    named: Option<String>,
}

impl MemoryFiles {
    /// A folder without files.
    pub fn new() -> MemoryFiles {
        MemoryFiles::default()
    }

    /// A single file, asked for by name.
    pub fn single(name: &str, bytes: Vec<u8>) -> MemoryFiles {
        MemoryFiles { named: Some(name.to_owned()), ..MemoryFiles::new().with(name, bytes) }
    }

    /// The same with one file more.
    pub fn with(mut self, name: &str, bytes: Vec<u8>) -> MemoryFiles {
        self.files.insert(name.to_owned(), MemorySource::new(bytes));
        self
    }

    /// The same, asked for by the name of one of the files.
    pub fn named_by(self, name: &str) -> MemoryFiles {
        MemoryFiles { named: Some(name.to_owned()), ..self }
    }

    /// A file, to plan its faults and to see what was asked of it.
    pub fn source(&self, name: &str) -> Option<&MemorySource> {
        self.files.get(name)
    }
}

impl Files for MemoryFiles {
    type Source<'a> = &'a MemorySource;

    fn name(&self) -> &str {
        self.named.as_deref().unwrap_or("memory")
    }

    fn named(&self) -> Option<&str> {
        self.named.as_deref()
    }

    async fn open(&self, name: &str) -> Result<&MemorySource, StoreError> {
        self.files.get(name).ok_or_else(|| StoreError::Absent { name: name.to_owned() })
    }

    fn key(&self, name: &str) -> String {
        name.to_owned()
    }
}
