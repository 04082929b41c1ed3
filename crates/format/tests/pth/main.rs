//! `.pth` files through [`PthReader`], and Meta's folders through [`Checkpoint::from_meta`].
//!
//! Each row of the bad ones damages one thing in a file that is fine otherwise, and says what a person then reads.
#![expect(clippy::unwrap_used, reason = "this is a test")]

mod archive;
mod model;
mod pickles;
mod writer;

use format::{FormatError, Pth, PthReader};
use writer::{Archive, Tensor, entry, pickle};

/// Reads a file as it wants to be read, and counts the ranges.
fn read_counting(file: &[u8]) -> (Result<Pth, FormatError>, usize) {
    let mut reader = PthReader::new(file.len() as u64);
    let mut ranges = 0;
    while let Some(range) = reader.wants() {
        ranges += 1;
        assert!(range.start < range.end && range.end <= file.len() as u64 || file.is_empty(), "{range:?}");
        if let Err(error) = reader.put(&file[range.start as usize..range.end as usize]) {
            return (Err(error), ranges);
        }
    }
    (reader.finish(), ranges)
}

fn read(file: &[u8]) -> Result<Pth, FormatError> {
    read_counting(file).0
}

/// Two tensors, one of which begins in the middle of its storage.
fn tensors() -> Vec<Tensor> {
    let mut second = Tensor { len: 8, ..Tensor::new("second", "FloatStorage", 1, &[5]) };
    second.offset = 3;
    vec![Tensor::new("first", "BFloat16Storage", 0, &[4, 300]), second]
}

fn archive_of(pickle: Vec<u8>) -> Archive {
    let entries = vec![
        entry("model/data.pkl", pickle),
        entry("model/byteorder", b"little".into()),
        entry("model/data/0", vec![7; 2400]),
        entry("model/data/1", vec![9; 32]),
        entry("model/version", b"3\n".into()),
    ];
    Archive { entries, ..Archive::default() }
}

fn archive() -> Archive {
    archive_of(pickle(&tensors()))
}

#[track_caller]
fn check_error(file: &[u8], expected: &str) {
    let error = read(file).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains(expected), "\n     got: {error}\nexpected: {expected}");
}
