//! What a host sends beside a file's bytes, what the store gives back, and names that become addresses.

use store::{Answer, Hash, Record, hub_address};

use crate::Refusal;

/// An answer to a request for bytes 100 to 199: a line each for the status, the content's type, encoding, range and
/// length, and when to come again.
pub fn http_answer(bytes: &[u8]) -> Result<(), Refusal> {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.lines();
    let status = lines.next().and_then(|line| line.parse().ok()).unwrap_or(206);
    let mut header = || lines.next().filter(|line| !line.is_empty());
    let answer = Answer {
        status,
        content_type: header(),
        content_encoding: header(),
        content_range: header(),
        content_length: header(),
        retry_after: header(),
    };
    answer
        .check("https://host/model.gguf", None)
        .or_else(|_| answer.check("model.gguf", Some(&(100..200))))?;
    Ok(())
}

/// The record of a stored file, without the hash at its end: a fuzzer can't compute it.
///
/// # Panics
/// If what was read is not written the same.
pub fn record(bytes: &[u8]) -> Result<(), Refusal> {
    let sealed = [bytes, &Hash::of(bytes).0].concat();
    let record = Record::from_bytes(&sealed)?;
    assert_eq!(record.to_bytes(), sealed, "{record:?}");
    Ok(())
}

/// An address that a person has typed, and a file's name: what becomes of them.
///
/// # Panics
/// If a part of a split file is none beside the first.
pub fn names(bytes: &[u8]) -> Result<(), Refusal> {
    let text = String::from_utf8_lossy(bytes);
    drop(hub_address(&text));
    for name in format::split_names(&text).into_iter().flatten().take(3) {
        let path = |name: &str| name.split(['?', '#']).next().map(str::to_owned).unwrap_or_default();
        let folder = |name: &str| path(name).rsplit_once('/').map(|(folder, _)| folder.to_owned());
        assert_eq!((folder(&name), name.len()), (folder(&text), text.len()), "{name:?}");
    }
    Ok(())
}
