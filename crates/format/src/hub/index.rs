//! `model.safetensors.index.json`: which of several files holds which tensor.
//!
//! ```text
//! {"metadata": {"total_size": 1840896}, "weight_map": {"lm_head.weight": "model-00002-of-00002.safetensors", ...}}
//! ```
//!
//! The names become addresses and paths, so only plain names of files beside the index are taken.

use std::collections::BTreeSet;

use crate::error::{FormatError, Part, quote, quote_odd};
use crate::json::{Fields, Json};
use crate::plain_name::check_plain_name;

/// More files than any model has been split into.
const MAX_FILES: usize = 10_000;

/// An index, read and checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubIndex {
    /// The files that hold weights, in the order of their names: plain names of files beside the index.
    pub files: Vec<String>,
    /// Each tensor, and the file that holds it by its place in `files`; in the order of the tensors' names.
    pub(crate) tensors: Vec<(String, usize)>,
}

impl HubIndex {
    /// Reads `model.safetensors.index.json`.
    ///
    /// # Errors
    /// If it is no such index, or names a file outside of its own folder.
    pub fn parse(bytes: &[u8]) -> Result<HubIndex, FormatError> {
        let json = Json::parse(Part::IndexJson, bytes)?;
        let fields = Fields::of(Part::IndexJson, &json)?;
        let weight_map = fields.object("weight_map")?.ok_or_else(|| fields.missing("weight_map"))?;
        let mut placed = Vec::new();
        for (tensor, file) in weight_map.entries() {
            let Json::String(file) = file else {
                return Err(weight_map.invalid(&quote_odd(tensor), "the name of a file", file));
            };
            check_file_name(&weight_map.name(&quote_odd(tensor)), file)?;
            placed.push((tensor.as_str(), file.as_str()));
        }
        let files: BTreeSet<&str> = placed.iter().map(|(_, file)| *file).collect();
        if !(1..=MAX_FILES).contains(&files.len()) {
            return Err(fields.invalid("weight_map", format_args!("1 to {MAX_FILES} files"), files.len()));
        }
        let files: Vec<&str> = files.into_iter().collect();
        let at = |file: &str| files.binary_search(&file).unwrap_or(0); // Each has come from the same list.
        let mut tensors: Vec<(String, usize)> =
            placed.iter().map(|(tensor, file)| ((*tensor).to_owned(), at(file))).collect();
        tensors.sort();
        Ok(HubIndex { files: files.into_iter().map(str::to_owned).collect(), tensors })
    }
}

fn check_file_name(field: &str, name: &str) -> Result<(), FormatError> {
    check_plain_name(Part::IndexJson, field, name)?;
    if name.ends_with(".safetensors") {
        return Ok(());
    }
    Err(Part::IndexJson.invalid(field, "a file that ends in .safetensors", quote(name)))
}
