//! Guessing what follows by looking it up: what followed the last time that the same few tokens were there.
//!
//! An answer that quotes, edits or continues a list repeats long stretches of what is in the context; see
//! "prompt lookup decoding" (Saxena, 2023).

/// Fewest tokens that must have been there before. Two are too often followed by something else.
const FEWEST: usize = 3;

/// Agreement beyond this tells no more.
const MOST: usize = 8;

/// What may follow `ids`, `len` of them: what followed the longest stretch that they end with and that was there
/// before, of several the last one's. What runs into the end of `ids` goes on as it began. Empty if there is none.
pub(crate) fn lookup(ids: &[u32], len: usize) -> Vec<u32> {
    let mut found = None;
    let mut longest = FEWEST - 1;
    for end in (FEWEST..ids.len()).rev() {
        let agreement = agreement(&ids[..end], ids);
        if agreement > longest {
            (found, longest) = (Some(end), agreement);
        }
        if longest == MOST {
            break;
        }
    }
    let Some(end) = found else { return Vec::new() };
    ids[end..].iter().cycle().take(len).copied().collect()
}

/// How many of the last ids of both are the same, at most [`MOST`].
fn agreement(before: &[u32], ids: &[u32]) -> usize {
    let pairs = before.iter().rev().zip(ids.iter().rev());
    pairs.take(MOST).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(ids: &[u32], len: usize, expected: &[u32]) {
        assert_eq!(lookup(ids, len), expected, "after {ids:?}");
    }

    #[test]
    fn what_followed_is_guessed() {
        check(&[1, 2, 3, 4, 5, 9, 1, 2, 3], 2, &[4, 5]);
        check(&[1, 2, 3, 4, 5, 9, 1, 2, 3], 0, &[]);
        check(&[1, 2, 9, 1, 2], 4, &[]);
        check(&[], 4, &[]);
        check(&[7, 7, 7], 4, &[]);
    }

    #[test]
    fn of_several_the_longest_and_then_the_last() {
        check(&[1, 2, 3, 4, 0, 1, 2, 3, 5, 0, 1, 2, 3], 1, &[5]);
        check(&[9, 1, 2, 3, 4, 0, 1, 2, 3, 5, 9, 1, 2, 3], 1, &[4]);
        // Beyond 8 tokens a longer agreement is no better than a later one.
        let stretch = [11, 12, 13, 14, 15, 16, 17, 18];
        let ids = [&[10], &stretch[..], &[1], &stretch, &[2, 10], &stretch].concat();
        check(&ids, 1, &[2]);
    }

    #[test]
    fn a_pattern_goes_on() {
        check(&[7, 7, 7, 7], 3, &[7, 7, 7]);
        check(&[1, 2, 1, 2, 1, 2], 5, &[1, 2, 1, 2, 1]);
    }
}
