//! Whole files through [`Gguf::parse`] and [`Checkpoint::from_gguf`].
//!
//! Each row of the bad ones damages one thing in a file that is fine otherwise, and says what a person then reads
//! (or the part of it that doesn't change with the file's length).
#![expect(clippy::unwrap_used, reason = "this is a test")]

mod bad_checkpoint;
mod bad_gguf;
mod good;
mod split;
mod writer;

use format::{Checkpoint, FormatError, Gguf};
use writer::File;

/// Damages a healthy file, or varies it.
type Damage = fn(&mut File);

#[track_caller]
fn check(rows: &[(&str, Damage)]) {
    for (expected, damage) in rows {
        let mut file = File::tiny();
        damage(&mut file);
        check_bytes(expected, &file.bytes());
    }
}

#[track_caller]
fn check_bytes(expected: &str, bytes: &[u8]) {
    let error = match Gguf::parse(bytes, bytes.len() as u64).and_then(Checkpoint::from_gguf) {
        Err(FormatError::NeedMore { .. }) => panic!("asks for more of a whole file, expected: {expected}"),
        Err(error) => error.to_string(),
        Ok(_) => panic!("no error, expected: {expected}"),
    };
    assert!(error.contains(expected), "\n     got: {error}\nexpected: {expected}");
}
