//! `tensor-cache.json`: where each tensor lies.
//!
//! ```text
//! {"metadata": {...}, "records": [
//!     {"dataPath": "params_shard_0.bin", "format": "raw-shard", "nbytes": 33554432, "md5sum": "...", "records": [
//!         {"name": "lm_head.q_weight", "shape": [128256, 512], "dtype": "uint32", "format": "f32-to-bf16",
//!          "nbytes": 262668288, "byteOffset": 0}, ...]}, ...]}
//! ```
//!
//! The inner format says something of `float32` alone: that it is stored as bfloat16.

use std::collections::HashSet;

use crate::error::{FormatError, Part, quote, quote_odd};
use crate::json::{Fields, Json};
use crate::plain_name::check_plain_name;

const PART: Part = Part::MlcCache;

/// The list of an MLC folder's tensors and of the files that hold them, read and checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MlcCache {
    /// The weights' files in their order, plain names of files beside the list, and their lengths in bytes.
    pub files: Vec<(String, u64)>,
    pub(crate) tensors: Vec<MlcTensor>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MlcTensor {
    pub(crate) name: String,
    pub(crate) dtype: MlcType,
    pub(crate) shape: Vec<u64>,
    pub(crate) file: usize,
    pub(crate) offset: u64,
    pub(crate) len: u64,
}

/// How elements are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MlcType {
    U32,
    F32,
    F16,
    BF16,
}

impl MlcCache {
    /// Reads `tensor-cache.json` or `ndarray-cache.json`.
    ///
    /// # Errors
    /// If it is no such list, names a file outside of its own folder, or has tensors that overlap or don't fit.
    pub fn parse(bytes: &[u8]) -> Result<MlcCache, FormatError> {
        let json = Json::parse(PART, bytes)?;
        let fields = Fields::of(PART, &json)?;
        let shards = fields.array("records")?.ok_or_else(|| fields.missing("records"))?;
        let mut cache = MlcCache { files: Vec::new(), tensors: Vec::new() };
        for (index, shard) in shards.iter().enumerate() {
            cache.read_shard(&fields.within(format!("records.{index}"), shard)?)?;
        }
        let mut names = HashSet::new();
        match cache.tensors.iter().find(|tensor| !names.insert(tensor.name.as_str())) {
            Some(twice) => {
                Err(PART.invalid(quote_odd(&twice.name), "a new name", "the name of another tensor"))
            }
            None => Ok(cache),
        }
    }

    fn read_shard(&mut self, shard: &Fields) -> Result<(), FormatError> {
        let name = shard.required_string("dataPath")?;
        check_plain_name(PART, &shard.name("dataPath"), name)?;
        if self.files.iter().any(|(known, _)| known == name) {
            return Err(shard.invalid("dataPath", "a new file", format_args!("{} again", quote(name))));
        }
        let format = shard.required_string("format")?;
        if format != "raw-shard" {
            return Err(shard.invalid("format", "\"raw-shard\"", quote(format)));
        }
        let nbytes = shard.whole("nbytes")?.ok_or_else(|| shard.missing("nbytes"))?;
        let records = shard.array("records")?.ok_or_else(|| shard.missing("records"))?;
        let mut end = 0;
        for (index, record) in records.iter().enumerate() {
            let tensor = read_tensor(
                &shard.within(shard.name(&format!("records.{index}")), record)?,
                self.files.len(),
            )?;
            if tensor.offset < end || tensor.offset.saturating_add(tensor.len) > nbytes {
                let expected = format!("bytes between {end} and {nbytes}, where {name} ends");
                let found = format!("{} bytes from {} on", tensor.len, tensor.offset);
                return Err(PART.invalid(quote_odd(&tensor.name), expected, found));
            }
            end = tensor.offset + tensor.len;
            self.tensors.push(tensor);
        }
        self.files.push((name.to_owned(), nbytes));
        Ok(())
    }
}

fn read_tensor(record: &Fields, file: usize) -> Result<MlcTensor, FormatError> {
    let name = record.required_string("name")?.to_owned();
    let as_bf16 = record.string("format")?.unwrap_or_default() == "f32-to-bf16";
    let dtype = match record.required_string("dtype")? {
        "uint32" => MlcType::U32,
        "float32" if as_bf16 => MlcType::BF16,
        "float32" => MlcType::F32,
        "float16" => MlcType::F16,
        "bfloat16" => MlcType::BF16,
        other => {
            return Err(FormatError::Unsupported {
                what: "Tensor type",
                found: format!("{} of {}", quote(other), quote_odd(&name)),
                supported: "uint32, float32, float16 and bfloat16 there".into(),
            });
        }
    };
    let shape = record.array("shape")?.ok_or_else(|| record.missing("shape"))?;
    let dimension = |json: &Json| match json {
        Json::Whole(n) => Ok(*n),
        other => Err(record.invalid("shape", "whole numbers", other)),
    };
    let shape: Vec<u64> = shape.iter().map(dimension).collect::<Result<_, _>>()?;
    let whole = |key: &str| record.whole(key)?.ok_or_else(|| record.missing(key));
    let (len, offset) = (whole("nbytes")?, whole("byteOffset")?);
    let bytes = shape.iter().try_fold(dtype.bytes(), |product, n| product.checked_mul(*n));
    if bytes != Some(len) {
        let shown: Vec<String> = shape.iter().take(4).map(u64::to_string).collect();
        return Err(record.invalid(
            "nbytes",
            format_args!("as many as the shape [{}] takes", shown.join(", ")),
            len,
        ));
    }
    Ok(MlcTensor { name, dtype, shape, file, offset, len })
}

impl MlcType {
    fn bytes(self) -> u64 {
        match self {
            MlcType::U32 | MlcType::F32 => 4,
            MlcType::F16 | MlcType::BF16 => 2,
        }
    }
}
