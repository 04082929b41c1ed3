//! What is known of a stored model: its size, its version, and the hash of every piece that rests in the store.
//!
//! Browser and disk keep it in the same bytes, little endian:
//!
//! ```text
//! "PRONKREC"  format: u32 = 1  size: u64
//! version: u32 length (u32::MAX for none), then that many bytes of UTF-8
//! pieces: u32 count, then for each 0, or 1 and the 32 bytes of its SHA-256
//! SHA-256 of all before
//! ```

use crate::{Hash, StoreError};

/// What the store has of one file. Written after the pieces that it speaks of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Bytes of the whole file.
    pub size: u64,
    /// What the source says of the file's version, e.g. its ETag.
    pub version: Option<String>,
    /// The hash of each piece that is kept, in file order; `None` for those to come.
    pub pieces: Vec<Option<Hash>>,
}

/// The longest file that is read: what fits no browser's storage for years, yet its record is small.
pub(crate) const MAX_SIZE: u64 = 1 << 40;

const MAGIC: &[u8; 8] = b"PRONKREC";
const FORMAT: u32 = 1;
const NONE: u32 = u32::MAX;

impl Record {
    /// Whether every piece is kept.
    pub fn is_whole(&self) -> bool {
        self.pieces.iter().all(Option::is_some)
    }

    /// The first piece that is not kept.
    pub(crate) fn first_missing(&self) -> Option<u32> {
        self.pieces.iter().position(Option::is_none).map(|index| index as u32)
    }

    /// Whether it can speak of the file whose hashes were published, in pieces of this size.
    pub(crate) fn can_be_of(&self, published: &[Hash], piece_size: u64) -> bool {
        let agrees =
            |(stored, published): (&Option<Hash>, &Hash)| stored.is_none_or(|stored| stored == *published);
        self.size <= MAX_SIZE
            && self.pieces.len() as u64 == self.size.div_ceil(piece_size)
            && (published.is_empty() || published.len() == self.pieces.len())
            && self.pieces.iter().zip(published).all(agrees)
    }

    /// Whether a half stored file is the one that the source has now, as far as one can tell.
    pub(crate) fn may_be_of_the_file_of(&self, now: &Record) -> bool {
        let versions_differ = match (&self.version, &now.version) {
            (Some(stored), Some(now)) => stored != now,
            _ => false,
        };
        self.size == now.size && !versions_differ
    }

    /// The record as bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(FORMAT.to_le_bytes());
        bytes.extend(self.size.to_le_bytes());
        match &self.version {
            None => bytes.extend(NONE.to_le_bytes()),
            Some(version) => {
                bytes.extend((version.len() as u32).to_le_bytes());
                bytes.extend(version.as_bytes());
            }
        }
        bytes.extend((self.pieces.len() as u32).to_le_bytes());
        for piece in &self.pieces {
            bytes.push(u8::from(piece.is_some()));
            bytes.extend(piece.iter().flat_map(|hash| hash.0));
        }
        bytes.extend(Hash::of(&bytes).0);
        bytes
    }

    /// The record back from its bytes. Fails if they are damaged or of another format.
    pub fn from_bytes(bytes: &[u8]) -> Result<Record, StoreError> {
        read(bytes).ok_or(StoreError::DamagedRecord { found: bytes.len() })
    }
}

fn read(bytes: &[u8]) -> Option<Record> {
    let (body, hash) = bytes.split_last_chunk::<32>()?;
    if Hash::of(body).0 != *hash {
        return None;
    }
    let mut rest = body.strip_prefix(MAGIC)?.strip_prefix(&FORMAT.to_le_bytes())?;
    let size = u64::from_le_bytes(*take(&mut rest)?);
    let version = match u32::from_le_bytes(*take(&mut rest)?) {
        NONE => None,
        length => {
            let (version, after) = rest.split_at_checked(length as usize)?;
            rest = after;
            Some(String::from_utf8(version.to_vec()).ok()?)
        }
    };
    let count = u32::from_le_bytes(*take(&mut rest)?);
    // A piece takes at least one byte, so a hostile count asks for no more memory than the bytes did.
    let mut pieces = Vec::with_capacity(rest.len().min(count as usize));
    for _ in 0..count {
        pieces.push(match take(&mut rest)? {
            [0] => None,
            [1] => Some(Hash(*take(&mut rest)?)),
            _ => return None,
        });
    }
    rest.is_empty().then_some(Record { size, version, pieces })
}

fn take<'a, const N: usize>(rest: &mut &'a [u8]) -> Option<&'a [u8; N]> {
    let (taken, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> [Record; 4] {
        let pieces = vec![Some(Hash::of(b"a")), None, Some(Hash::of(b"b"))];
        [
            Record { size: 0, version: None, pieces: vec![] },
            Record { size: u64::MAX, version: Some(String::new()), pieces: vec![None] },
            Record { size: 5_000_000_000, version: Some("\"W/é\"".into()), pieces: pieces.clone() },
            Record { size: 3, version: None, pieces },
        ]
    }

    #[test]
    fn comes_back_from_its_bytes() {
        for record in rows() {
            assert_eq!(Record::from_bytes(&record.to_bytes()), Ok(record));
        }
    }

    #[test]
    fn is_whole_when_every_piece_is_kept() {
        assert_eq!(rows().map(|record| record.is_whole()), [true, false, false, false]);
        let whole = Record { size: 1, version: None, pieces: vec![Some(Hash::of(b"a"))] };
        assert!(whole.is_whole());
    }

    #[test]
    fn damage_anywhere_is_noticed() {
        for record in rows() {
            let bytes = record.to_bytes();
            for at in 0..bytes.len() {
                let mut damaged = bytes.clone();
                damaged[at] ^= 0x10;
                assert!(Record::from_bytes(&damaged).is_err(), "byte {at} of {record:?}");
                assert!(Record::from_bytes(&bytes[..at]).is_err(), "cut at {at} of {record:?}");
            }
        }
    }

    /// Bodies that claim something wrong under a right hash: what a hostile or a newer writer would leave.
    #[test]
    fn wrong_claims_are_refused() {
        let body = |format: u32, version: u32, count: u32, rest: &[u8]| {
            let mut bytes = [MAGIC.as_slice(), &format.to_le_bytes(), &7u64.to_le_bytes()].concat();
            bytes.extend([version.to_le_bytes(), count.to_le_bytes()].concat());
            bytes.extend(rest);
            bytes.extend(Hash::of(&bytes).0);
            bytes
        };
        assert!(Record::from_bytes(&body(FORMAT, NONE, 1, &[0])).is_ok());
        for (what, bytes) in [
            ("a newer format", body(FORMAT + 1, NONE, 1, &[0])),
            ("a version past the end", body(FORMAT, NONE - 1, 1, &[0])),
            ("more pieces than there are", body(FORMAT, NONE, u32::MAX, &[0])),
            ("fewer pieces than there are", body(FORMAT, NONE, 0, &[0])),
            ("a hash past the end", body(FORMAT, NONE, 1, &[1; 32])),
            ("a third state", body(FORMAT, NONE, 1, &[2])),
        ] {
            assert!(Record::from_bytes(&bytes).is_err(), "{what}");
        }
    }
}
