//! Every weight of a checkpoint in `f32`, for the tests of several crates.

use std::collections::BTreeMap;

use format::{Checkpoint, FormatError, RowReader, Rows, TensorName, dequantize};

/// Every tensor's weights, rows in the one order.
pub(crate) type Weights = BTreeMap<TensorName, Vec<f32>>;

/// Reads all of them from the checkpoint's files.
pub(crate) fn weights(checkpoint: &Checkpoint, files: &[Vec<u8>]) -> Weights {
    let mut weights = Weights::new();
    let mut reader = RowReader::new(checkpoint);
    while let Some(span) = reader.wants() {
        let bytes = &files[span.file][span.offset as usize..][..span.len as usize];
        let take = &mut |rows: Rows| {
            dequantize(rows.tensor.dtype, rows.bytes, weights.entry(rows.tensor.name).or_default())
        };
        reader.push::<FormatError>(span.file, span.offset, bytes, take).unwrap();
    }
    reader.finish().unwrap();
    weights
}
