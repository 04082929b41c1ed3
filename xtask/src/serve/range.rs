//! The `Range` header: `bytes=a-b`, `bytes=a-`, `bytes=-n`.
//!
//! RFC 9110 lets a server answer with the whole file where it does not understand a range or would have to
//! send several. Only a range that is understood and lies outside the file is an error (416).

/// What of a file to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// All of it.
    Whole,
    /// `len` bytes from `start`; both inside the file, `len` at least 1.
    Part {
        /// First byte.
        start: u64,
        /// Number of bytes.
        len: u64,
    },
    /// Nothing: the range begins past the end.
    Outside,
}

/// Reads a `Range` header for a file of `size` bytes.
pub(super) fn parse(header: Option<&str>, size: u64) -> Wanted {
    let Some(spec) = header.and_then(|value| value.trim().strip_prefix("bytes=")) else {
        return Wanted::Whole;
    };
    let Some((first, last)) = spec.split_once('-') else { return Wanted::Whole };
    match (number(first), number(last)) {
        (Number::Absent, Number::Is(n)) => suffix(n, size),
        (Number::Is(start), Number::Absent) => from_to(start, u64::MAX, size),
        (Number::Is(start), Number::Is(last)) if start <= last => from_to(start, last, size),
        _ => Wanted::Whole,
    }
}

enum Number {
    Absent,
    Is(u64),
    Garbage,
}

/// Digits only: `str::parse` alone would take a sign too. Counts beyond u64 are as good as u64::MAX.
fn number(text: &str) -> Number {
    let text = text.trim();
    if text.is_empty() {
        Number::Absent
    } else if text.bytes().all(|byte| byte.is_ascii_digit()) {
        Number::Is(text.parse().unwrap_or(u64::MAX))
    } else {
        Number::Garbage
    }
}

fn suffix(n: u64, size: u64) -> Wanted {
    let len = n.min(size);
    if len == 0 { Wanted::Outside } else { Wanted::Part { start: size - len, len } }
}

fn from_to(start: u64, last: u64, size: u64) -> Wanted {
    if start >= size {
        return Wanted::Outside;
    }
    Wanted::Part { start, len: last.min(size - 1) - start + 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(header: &str, size: u64, wanted: Wanted) {
        assert_eq!(parse(Some(header), size), wanted, "{header} of {size} bytes");
    }

    fn part(start: u64, len: u64) -> Wanted {
        Wanted::Part { start, len }
    }

    #[test]
    fn ranges_inside_the_file() {
        check("bytes=0-0", 10, part(0, 1));
        check("bytes=0-9", 10, part(0, 10));
        check("bytes=3-5", 10, part(3, 3));
        check("bytes=3-", 10, part(3, 7));
        check("bytes=-3", 10, part(7, 3));
        check("bytes= 3 - 5 ", 10, part(3, 3));
        check("bytes=4294967296-4294967297", 5_000_000_000, part(4_294_967_296, 2));
    }

    #[test]
    fn ranges_are_cut_at_the_end() {
        check("bytes=3-10", 10, part(3, 7));
        check("bytes=3-18446744073709551615", 10, part(3, 7));
        check("bytes=3-99999999999999999999999", 10, part(3, 7));
        check("bytes=-99", 10, part(0, 10));
    }

    #[test]
    fn ranges_past_the_end_are_outside() {
        check("bytes=10-10", 10, Wanted::Outside);
        check("bytes=10-", 10, Wanted::Outside);
        check("bytes=99999999999999999999999-", 10, Wanted::Outside);
        check("bytes=-0", 10, Wanted::Outside);
        check("bytes=0-0", 0, Wanted::Outside);
        check("bytes=-1", 0, Wanted::Outside);
    }

    #[test]
    fn what_is_not_understood_is_the_whole_file() {
        for header in ["", "bytes", "bytes=", "bytes=-", "bytes=5-3", "bytes=a-b", "bytes=+1-2", "lines=0-1"]
        {
            check(header, 10, Wanted::Whole);
        }
        check("bytes=0-1,3-4", 10, Wanted::Whole);
        assert_eq!(parse(None, 10), Wanted::Whole);
    }
}
