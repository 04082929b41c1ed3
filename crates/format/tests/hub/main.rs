//! Hub folders through [`Checkpoint::from_hub`] and [`RowReader`].
//!
//! Each row of the bad ones damages one thing in a folder that is fine otherwise, and says what a person then reads.
#![expect(clippy::unwrap_used, reason = "this is a test")]

mod bad;
mod config;
mod golden;
mod good;
mod mlc;
mod mlc_writer;
mod nf4;
mod packed;
mod packers;
mod writer;

use std::collections::HashMap;

use format::{Checkpoint, FormatError, RowReader, Rows, TensorName, dequantize};
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

/// All weights in `f32`, by tensor, each at the place of its input feature; from files that are read as the reader
/// wants them, in pieces of so many bytes.
#[track_caller]
fn weights(checkpoint: &Checkpoint, files: &[Vec<u8>], piece_len: usize) -> HashMap<TensorName, Vec<f32>> {
    read(checkpoint, files, piece_len).unwrap()
}

fn read(
    checkpoint: &Checkpoint,
    files: &[Vec<u8>],
    piece_len: usize,
) -> Result<HashMap<TensorName, Vec<f32>>, FormatError> {
    let mut values: HashMap<TensorName, Vec<f32>> = HashMap::new();
    let mut reader = RowReader::new(checkpoint);
    let mut next = (0, 0);
    while let Some(span) = reader.wants() {
        assert!(!checkpoint.in_one_pass() || next <= (span.file, span.offset), "{span:?} after {next:?}");
        next = (span.file, span.offset);
        let from = span.offset as usize;
        let piece = &files[span.file][from..files[span.file].len().min(from + piece_len)];
        reader.push::<FormatError>(span.file, span.offset, piece, &mut |rows| {
            append(rows, values.entry(rows.tensor.name).or_default())
        })?;
    }
    reader.finish()?;
    Ok(values)
}

fn append(rows: Rows, values: &mut Vec<f32>) -> Result<(), FormatError> {
    let columns = rows.tensor.columns;
    assert_eq!(values.len(), rows.first_row * columns, "{}", rows.tensor.name);
    let mut given = Vec::new();
    dequantize(rows.tensor.dtype, rows.bytes, &mut given)?;
    for row in given.chunks(columns) {
        let mut in_place = vec![f32::NAN; columns];
        for (k, value) in row.iter().enumerate() {
            in_place[rows.column_order.map_or(k, |order| order[k] as usize)] = *value;
        }
        values.extend(in_place);
    }
    let count = given.len() / columns;
    assert!(rows.first_row.is_multiple_of(4), "{}", rows.first_row);
    assert!(count.is_multiple_of(4) || rows.first_row + count == rows.tensor.rows, "{count} rows");
    Ok(())
}
