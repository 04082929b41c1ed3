//! Hub folders through [`Checkpoint::from_hub`] and [`RowReader`].
//!
//! Each row of the bad ones damages one thing in a folder that is fine otherwise, and says what a person then reads.
#![expect(clippy::unwrap_used, reason = "this is a test")]

mod bad;
mod config;
mod good;
mod writer;

use std::collections::HashMap;

use format::{Checkpoint, FormatError, RowReader, TensorName, dequantize};
use writer::Folder;

/// Damages a healthy folder, or varies it.
type Damage = fn(&mut Folder);

#[track_caller]
fn check(rows: &[(&str, Damage)]) {
    for (expected, damage) in rows {
        let mut folder = Folder::tiny();
        damage(&mut folder);
        let error = match Checkpoint::from_hub(folder.files().0) {
            Err(error) => error.to_string(),
            Ok(_) => panic!("no error, expected: {expected}"),
        };
        assert!(error.contains(expected), "\n     got: {error}\nexpected: {expected}");
    }
}

/// All weights in `f32`, by tensor, from files that come in pieces of so many bytes.
#[track_caller]
fn weights(checkpoint: &Checkpoint, files: &[Vec<u8>], piece_len: usize) -> HashMap<TensorName, Vec<f32>> {
    let mut values: HashMap<TensorName, Vec<f32>> = HashMap::new();
    let mut reader = RowReader::new(checkpoint);
    for (file, bytes) in files.iter().enumerate() {
        for (index, piece) in bytes.chunks(piece_len).enumerate() {
            let take = &mut |rows: format::Rows| {
                dequantize(rows.tensor.dtype, rows.bytes, values.entry(rows.tensor.name).or_default())
            };
            reader.push::<FormatError>(file, (index * piece_len) as u64, piece, take).unwrap();
        }
    }
    reader.finish().unwrap();
    values
}
