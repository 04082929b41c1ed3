//! The tensors of a `.pth` file: what its pickle says, checked against the archive.

use std::collections::{HashMap, HashSet};

use super::PthTensor;
use super::pickle;
use super::value::{Tensor, Value};
use crate::error::{FormatError, Part, quote, quote_odd};

/// Where a storage's bytes lie in the file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Storage {
    pub(super) offset: u64,
    pub(super) len: u64,
}

pub(super) fn read(pickle: &[u8], storages: &HashMap<&str, Storage>) -> Result<Vec<PthTensor>, FormatError> {
    let mut names = HashSet::new();
    let mut tensors = Vec::new();
    for (key, value) in pickle::run(pickle)? {
        let Value::String(name) = key else {
            return Err(Part::Pickle.invalid("key of a tensor", "a string", key.kind()));
        };
        let Value::Tensor(tensor) = value else {
            return Err(Part::Pickle.invalid(quote_odd(&name), "a tensor", value.kind()));
        };
        if !names.insert(name.clone()) {
            return Err(Part::Pickle.invalid(quote_odd(&name), "a new name", "the name of another tensor"));
        }
        tensors.push(placed(&name, &tensor, storages)?);
    }
    Ok(tensors)
}

fn placed(name: &str, tensor: &Tensor, storages: &HashMap<&str, Storage>) -> Result<PthTensor, FormatError> {
    let shown = || quote_odd(name);
    let invalid = |expected: String, found: String| Part::Pickle.invalid(shown(), expected, found);
    let key = &tensor.storage.key;
    let Some(storage) = storages.get(&**key) else {
        return Err(invalid(
            "an entry of the archive with its bytes".into(),
            format!("none called {}", quote(key)),
        ));
    };
    let dtype = tensor.storage.dtype;
    if dtype.bytes(tensor.storage.len) != Some(storage.len) {
        let expected = format!("{} numbers of {dtype} in its entry", tensor.storage.len);
        return Err(invalid(expected, format!("{} bytes", storage.len)));
    }
    let elements = tensor.shape.iter().try_fold(1u64, |product, n| product.checked_mul(*n));
    let (offset, len) = (dtype.bytes(tensor.offset), elements.and_then(|elements| dtype.bytes(elements)));
    let end = offset.zip(len).and_then(|(offset, len)| offset.checked_add(len));
    let (Some(offset), Some(len), true) = (offset, len, end.is_some_and(|end| end <= storage.len)) else {
        let expected = format!("numbers inside of its {} bytes", storage.len);
        return Err(invalid(expected, format!("shape {:?} from {} on", tensor.shape, tensor.offset)));
    };
    if !is_contiguous(tensor) {
        let expected = format!("rows that lie one behind the other, as shape {:?} has it", tensor.shape);
        return Err(invalid(expected, format!("strides {:?}", tensor.stride)));
    }
    // The archive has found that the storage ends inside the file.
    let offset = storage.offset + offset;
    Ok(PthTensor { name: name.to_owned(), dtype, shape: tensor.shape.clone(), offset, len })
}

/// Dimensions of one may have any stride.
fn is_contiguous(tensor: &Tensor) -> bool {
    if tensor.stride.len() != tensor.shape.len() {
        return false;
    }
    let mut expected = 1u64;
    tensor.shape.iter().zip(&tensor.stride).rev().all(|(n, stride)| {
        let fits = *n == 1 || *stride == expected;
        expected = expected.saturating_mul(*n);
        fits
    })
}
