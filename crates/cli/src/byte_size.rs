//! Sizes as people write them: `16MiB`, `20 MB`, `1048576`.

use std::str::FromStr;

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ByteSize(pub(crate) u64);

const UNITS: [(&str, u64); 8] = [
    ("", 1),
    ("B", 1),
    ("KB", 1_000),
    ("KiB", 1 << 10),
    ("MB", 1_000_000),
    ("MiB", 1 << 20),
    ("GB", 1_000_000_000),
    ("GiB", 1 << 30),
];

/// A shard is made in memory.
const MOST: u64 = 1 << 30;

impl FromStr for ByteSize {
    type Err = String;

    fn from_str(text: &str) -> Result<ByteSize, String> {
        let expected = || format!("expected a size of at most 1GiB, as in 16MiB or 20MB, found {text:?}");
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let unit = unit.trim();
        let (_, factor) =
            UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit)).ok_or_else(expected)?;
        let number: u64 = number.parse().map_err(|_| expected())?;
        let bytes = number.checked_mul(*factor).filter(|bytes| (1..=MOST).contains(bytes));
        bytes.map(ByteSize).ok_or_else(expected)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        let rows = [
            ("16MiB", Some(16 << 20)),
            ("16mib", Some(16 << 20)),
            ("20 MB", Some(20_000_000)),
            ("1GiB", Some(1 << 30)),
            ("4096", Some(4096)),
            ("1B", Some(1)),
            ("0", None),
            ("", None),
            ("MiB", None),
            ("1.5MiB", None),
            ("-1", None),
            ("2GiB", None),
            ("18446744073709551615GiB", None),
            ("16 M", None),
        ];
        for (text, expected) in rows {
            assert_eq!(text.parse().ok(), expected.map(ByteSize), "{text:?}");
        }
    }
}
