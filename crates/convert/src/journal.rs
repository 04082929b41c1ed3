//! Which shards are whole, for the next run if this one does not end.
//!
//! ```text
//! pronk convert 1 <mark: what is converted from, and into what>
//! <SHA-256> model-00001-of-00007.safetensors
//! ...
//! ```
//!
//! A line is written after its shard has been read back and renamed. A line is a claim: the shard is hashed again before
//! it is kept. The manifest, which takes the journal's place in the end, claims the same.

use std::collections::BTreeMap;

use format::Manifest;

use crate::output::Output;
use crate::{ConvertError, HashFn, hex};

pub(crate) const JOURNAL: &str = "convert.journal";
pub(crate) const MANIFEST: &str = "manifest.json";
/// What a file is called until it is whole.
pub(crate) const PART: &str = ".part";

const HEAD: &str = "pronk convert 1 ";

/// The shards that are whole, by name, with their hashes in hexadecimal.
#[derive(Debug)]
pub(crate) struct Journal {
    mark: String,
    shards: BTreeMap<String, String>,
}

impl Journal {
    /// What an earlier run with the same mark has left. Fails if the folder is not ours.
    pub(crate) fn open(output: &dyn Output, mark: String, hash: HashFn) -> Result<Journal, ConvertError> {
        let journal = read(output, JOURNAL)?.filter(|bytes| bytes.starts_with(HEAD.as_bytes()));
        let manifest = read(output, MANIFEST)?.filter(|bytes| Manifest::is_ours(bytes));
        if journal.is_none() && manifest.is_none() {
            // All that a run can leave which ended before the journal was there.
            let half = format!("{JOURNAL}{PART}");
            let names = output.names().map_err(|detail| ConvertError::Output { detail })?;
            if let Some(name) = names.into_iter().find(|name| *name != half) {
                return Err(ConvertError::NotOurs { name });
            }
        }
        let text = journal.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let shards = match (&text, &manifest) {
            (Some(text), _) if text.lines().next() == Some(&format!("{HEAD}{mark}")) => {
                let lines = text.lines().skip(1).filter_map(|line| line.split_once(' '));
                lines.map(|(hash, name)| (name.to_owned(), hash.to_owned())).collect()
            }
            (None, Some(bytes)) => match Manifest::parse(bytes, hash) {
                Ok(manifest) if manifest.source.ends_with(&mark) => {
                    manifest.weights().map(|file| (file.name.clone(), hex(&file.sha256))).collect()
                }
                _ => BTreeMap::new(),
            },
            _ => BTreeMap::new(),
        };
        Ok(Journal { mark, shards })
    }

    /// What a shard's bytes hash to, if it was whole.
    pub(crate) fn hash_of(&self, name: &str) -> Option<&str> {
        self.shards.get(name).map(String::as_str)
    }

    /// Lets a claim go that proved wrong.
    pub(crate) fn forget(&mut self, name: &str) {
        self.shards.remove(name);
    }

    /// Adds a shard that is whole.
    pub(crate) fn add(&mut self, output: &dyn Output, name: &str, hash: String) -> Result<(), ConvertError> {
        self.shards.insert(name.to_owned(), hash);
        self.write(output)
    }

    pub(crate) fn write(&self, output: &dyn Output) -> Result<(), ConvertError> {
        let lines = self.shards.iter().map(|(name, hash)| format!("{hash} {name}\n"));
        let text = format!("{HEAD}{}\n{}", self.mark, lines.collect::<String>());
        write_whole(output, JOURNAL, text.as_bytes())
    }
}

pub(crate) fn read(output: &dyn Output, name: &str) -> Result<Option<Vec<u8>>, ConvertError> {
    output.read(name).map_err(|detail| ConvertError::Output { detail })
}

/// Writes a file under another name, reads it back, and renames it: whoever finds it, finds it whole.
pub(crate) fn write_whole(output: &dyn Output, name: &str, bytes: &[u8]) -> Result<(), ConvertError> {
    let part = format!("{name}{PART}");
    output.write(&part, bytes).map_err(|detail| ConvertError::Output { detail })?;
    if read(output, &part)?.as_deref() != Some(bytes) {
        return Err(ConvertError::ReadBack { name: name.to_owned() });
    }
    output.rename(&part, name).map_err(|detail| ConvertError::Output { detail })
}
