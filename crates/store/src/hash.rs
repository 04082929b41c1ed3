//! SHA-256 of a piece, in hexadecimal where people see it.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

use crate::{Held, StoreError};

/// Bytes that are copied at once where they have to be.
const HASHED_AT_ONCE: usize = 1 << 20;

/// A SHA-256. Reads from and prints as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// The hash of `bytes`.
    pub fn of(bytes: &[u8]) -> Hash {
        Hash(Sha256::digest(bytes).into())
    }

    /// The hash of bytes wherever they are, which are not all copied at once.
    pub fn of_held(bytes: &impl Held) -> Hash {
        let (mut sha256, mut room, size) = (Sha256::new(), Vec::new(), bytes.size());
        for from in (0..size).step_by(HASHED_AT_ONCE) {
            sha256.update(bytes.part(from..size.min(from + HASHED_AT_ONCE), &mut room));
        }
        Hash(sha256.finalize().into())
    }
}

impl FromStr for Hash {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Hash, StoreError> {
        let invalid = || StoreError::NotAHash { found: text.chars().take(80).collect() };
        let digit = |byte: u8| char::from(byte).to_digit(16).ok_or_else(invalid);
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        if pairs.len() != 32 || !rest.is_empty() {
            return Err(invalid());
        }
        let mut hash = [0; 32];
        for (byte, [high, low]) in hash.iter_mut().zip(pairs) {
            *byte = (digit(*high)? << 4 | digit(*low)?) as u8;
        }
        Ok(Hash(hash))
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::held::tests::Elsewhere;

    /// FIPS 180-2's example, so that a mistake common to hashing and printing shows.
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn prints_and_reads_what_everyone_else_does() {
        assert_eq!(Hash::of(b"abc").to_string(), ABC);
        assert_eq!(ABC.parse(), Ok(Hash::of(b"abc")));
        assert_eq!(ABC.to_uppercase().parse(), Ok(Hash::of(b"abc")));
    }

    #[test]
    fn bytes_elsewhere_have_the_same_hash() {
        for size in [0, 1, HASHED_AT_ONCE - 1, HASHED_AT_ONCE, 2 * HASHED_AT_ONCE + 1] {
            let bytes: Vec<u8> = (0..size).map(|n| (n % 251) as u8).collect();
            assert_eq!(Hash::of_held(&Elsewhere(bytes.clone())), Hash::of(&bytes), "{size} bytes");
        }
    }

    #[test]
    fn refuses_what_is_no_hash() {
        let wrong_digit = ABC.replace('b', "g");
        let long = ABC.repeat(2);
        for text in ["", &ABC[1..], &ABC[2..], &wrong_digit, &long, &"é".repeat(32), &"+1".repeat(32)] {
            let error = text.parse::<Hash>().unwrap_err();
            assert_eq!(error, StoreError::NotAHash { found: text.chars().take(80).collect() }, "{text:?}");
        }
    }
}
