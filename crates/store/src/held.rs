//! Bytes that wait to be used, in whatever memory the platform has for that.
//!
//! A program in a browser has little memory of its own, which never shrinks, and the browser has plenty: there a piece
//! waits as the browser's, and the program copies what it uses next.

use std::ops::Range;

/// Some bytes.
pub trait Held {
    /// How many they are.
    fn size(&self) -> usize;

    /// Appends those of `range` to `into`. Panics past their end: a mistake of ours.
    fn append_to(&self, range: Range<usize>, into: &mut Vec<u8>);

    /// Those of `range`, in `room` if they are elsewhere. Panics past their end.
    fn part<'a>(&'a self, range: Range<usize>, room: &'a mut Vec<u8>) -> &'a [u8] {
        room.clear();
        self.append_to(range, room);
        room
    }
}

/// Where a program has all the memory there is.
impl Held for Vec<u8> {
    fn size(&self) -> usize {
        self.len()
    }

    fn append_to(&self, range: Range<usize>, into: &mut Vec<u8>) {
        into.extend_from_slice(&self[range]);
    }

    fn part<'a>(&'a self, range: Range<usize>, _room: &'a mut Vec<u8>) -> &'a [u8] {
        &self[range]
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Bytes that can only be copied.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub(crate) struct Elsewhere(pub(crate) Vec<u8>);

    impl Held for Elsewhere {
        fn size(&self) -> usize {
            self.0.len()
        }

        fn append_to(&self, range: Range<usize>, into: &mut Vec<u8>) {
            self.0.append_to(range, into);
        }
    }

    #[test]
    fn parts_are_the_same_wherever_they_are() {
        let bytes: Vec<u8> = (0..9).collect();
        let (elsewhere, mut room) = (Elsewhere(bytes.clone()), Vec::new());
        for range in [0..9, 2..5, 8..9, 4..4, 9..9] {
            let expected = &bytes[range.clone()];
            assert_eq!(bytes.part(range.clone(), &mut Vec::new()), expected, "{range:?}");
            assert_eq!(elsewhere.part(range.clone(), &mut room), expected, "{range:?}");
            let mut into = vec![1];
            elsewhere.append_to(range.clone(), &mut into);
            assert_eq!(into, [&[1], expected].concat(), "{range:?}");
        }
    }
}
