//! GGUF's tensor table: names, shapes, types, and where in the file the bytes lie.

use std::collections::HashSet;

use crate::GgmlType;
use crate::error::{FormatError, Part, quote, quote_odd};
use crate::reader::Reader;

/// ggml keeps names in 64 bytes, the last of them zero.
const MAX_NAME_BYTES: u64 = 63;
const MAX_DIMS: u32 = 4;
/// An entry of one dimension and an empty name: what a claimed count must at least have in bytes.
const MIN_ENTRY_BYTES: u64 = 8 + 4 + 8 + 4 + 8;

/// An entry of the tensor table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GgufTensor {
    /// As in the file: `blk.0.attn_q.weight`.
    pub name: String,
    /// Lengths of the dimensions, the contiguous one first; those that the file leaves out are 1.
    pub ne: [u64; 4],
    /// How the weights are stored.
    pub dtype: GgmlType,
    /// Where the bytes begin, from the start of the file.
    pub offset: u64,
    /// How many bytes.
    pub len: u64,
}

/// Reads the entries. Their offsets still count from the start of the data: see [`place`].
pub(super) fn read(reader: &mut Reader, n_tensors: u64) -> Result<Vec<GgufTensor>, FormatError> {
    reader.need(n_tensors * MIN_ENTRY_BYTES, Part::TensorTable, "n_tensors entries")?;
    let mut names = HashSet::new();
    let mut tensors = Vec::new();
    for i in 0..n_tensors {
        let name = reader.string(MAX_NAME_BYTES, Part::TensorTable, &format!("name of tensor {i}"))?;
        if !names.insert(name) {
            let field = format!("name of tensor {i}");
            return Err(Part::TensorTable.invalid(
                field,
                "a new name",
                format_args!("{} again", quote(name)),
            ));
        }
        tensors.push(read_entry(reader, name)?);
    }
    Ok(tensors)
}

fn read_entry(reader: &mut Reader, name: &str) -> Result<GgufTensor, FormatError> {
    let part = Part::TensorTable;
    let shown = quote_odd(name);
    let n_dims = reader.u32(part, &shown)?;
    if !(1..=MAX_DIMS).contains(&n_dims) {
        return Err(part.invalid(shown, format_args!("1 to {MAX_DIMS} dimensions"), n_dims));
    }
    let mut ne = [1; MAX_DIMS as usize];
    for n in ne.iter_mut().take(n_dims as usize) {
        *n = reader.u64(part, &shown)?;
    }
    let id = reader.u32(part, &shown)?;
    let Some(dtype) = GgmlType::from_id(id) else {
        return Err(part.invalid(shown, "a tensor type that ggml has", format_args!("type {id}")));
    };
    let len = data_len(&shown, ne, dtype)?;
    let offset = reader.u64(part, &shown)?;
    Ok(GgufTensor { name: name.to_owned(), ne, dtype, offset, len })
}

/// Bytes of a tensor whose rows, of `ne[0]` weights, are whole blocks.
fn data_len(shown: &str, ne: [u64; 4], dtype: GgmlType) -> Result<u64, FormatError> {
    let invalid = |expected: String, found: String| Part::TensorTable.invalid(shown, expected, found);
    if ne.contains(&0) {
        return Err(invalid("dimensions above zero".into(), format!("{ne:?}")));
    }
    if !ne[0].is_multiple_of(dtype.block_len() as u64) {
        let expected = format!("rows of whole {dtype} blocks, {} weights each", dtype.block_len());
        return Err(invalid(expected, format!("rows of {}", ne[0])));
    }
    let weights = ne.iter().try_fold(1u64, |product, n| product.checked_mul(*n));
    let len = weights.and_then(|weights| dtype.bytes(weights));
    len.ok_or_else(|| invalid("fewer than 2^64 bytes".into(), format!("shape {ne:?}")))
}

/// Turns the offsets into positions in the file, each checked to lie there, aligned, and apart from the others.
pub(super) fn place(
    tensors: &mut [GgufTensor],
    data_offset: u64,
    alignment: u64,
    file_size: u64,
) -> Result<(), FormatError> {
    for tensor in &mut *tensors {
        if !tensor.offset.is_multiple_of(alignment) {
            let expected = format!("an offset that is a multiple of {alignment}");
            return Err(Part::TensorTable.invalid(quote_odd(&tensor.name), expected, tensor.offset));
        }
        let start = tensor.offset.checked_add(data_offset);
        let end = start.and_then(|start| start.checked_add(tensor.len));
        match (start, end) {
            (Some(start), Some(end)) if end <= file_size => tensor.offset = start,
            _ => {
                let (field, end) = (quote_odd(&tensor.name), end.unwrap_or(u64::MAX));
                return Err(FormatError::Truncated { part: Part::TensorData, field, end, file_size });
            }
        }
    }
    let mut by_offset: Vec<&GgufTensor> = tensors.iter().collect();
    by_offset.sort_by_key(|tensor| tensor.offset);
    match by_offset.array_windows().find(|[first, second]| first.offset + first.len > second.offset) {
        None => Ok(()),
        Some([first, second]) => {
            let end = first.offset + first.len;
            let expected = format!("an offset past {}, which ends at byte {end}", quote_odd(&first.name));
            let found = format!("byte {}", second.offset);
            Err(Part::TensorTable.invalid(quote_odd(&second.name), expected, found))
        }
    }
}
