//! A shard: arrays of whole tiles as a safetensors file, and where they lie in it.

use std::collections::HashMap;

use format::SafetensorsHeader;
use safetensors::tensor::{Dtype, TensorView, serialize};

use crate::ConvertError;

/// An array of a shard, `[rows, words of a row]` of 4 bytes each.
#[derive(Debug)]
pub(crate) struct Array {
    pub(crate) name: String,
    pub(crate) dtype: Dtype,
    pub(crate) rows: usize,
    pub(crate) bytes: Vec<u8>,
}

/// What the scales of a matrix are called. They come before its words in the order of names.
pub(crate) fn scales_name(tensor: &str) -> String {
    format!("{tensor}.scales")
}

/// What the words of a matrix are called.
pub(crate) fn words_name(tensor: &str) -> String {
    format!("{tensor}.words")
}

/// The file.
pub(crate) fn to_file(name: &str, arrays: &[Array]) -> Result<Vec<u8>, ConvertError> {
    let failed = |detail: String| ConvertError::Safetensors { name: name.to_owned(), detail };
    let mut views = Vec::with_capacity(arrays.len());
    for array in arrays {
        let shape = match array.dtype {
            Dtype::F32 => vec![array.bytes.len() / 4],
            _ => vec![array.rows, array.bytes.len() / 4 / array.rows.max(1)],
        };
        let view = TensorView::new(array.dtype, shape, &array.bytes);
        views.push((array.name.as_str(), view.map_err(|error| failed(error.to_string()))?));
    }
    serialize(views, None).map_err(|error| failed(error.to_string()))
}

/// Where each array begins in the file.
pub(crate) fn positions(file: &[u8]) -> Result<HashMap<String, u64>, ConvertError> {
    let header = SafetensorsHeader::parse(file, file.len() as u64)?;
    Ok(header.tensors.into_iter().map(|tensor| (tensor.name, tensor.offset)).collect())
}
