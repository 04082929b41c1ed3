//! What an HTTP answer to a request for bytes means. One place for the browser's and the terminal's source.
//!
//! Asked with a single plain `Range: bytes=a-b` (or without, for the first bytes), a host may send those bytes
//! (206), the whole file (200), or something else altogether: an error, a login page, compressed bytes.
//! In a browser most headers of another site's answer can't be seen; what is not seen is not checked here,
//! but sizes and hashes are, later.

use std::ops::Range;

use crate::StoreError;

/// The parts of an answer that matter. A header that can't be seen is `None`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Answer<'a> {
    /// The status, redirects followed.
    pub status: u16,
    /// `Content-Type`.
    pub content_type: Option<&'a str>,
    /// `Content-Encoding`.
    pub content_encoding: Option<&'a str>,
    /// `Content-Range`.
    pub content_range: Option<&'a str>,
    /// `Content-Length`.
    pub content_length: Option<&'a str>,
    /// `Retry-After`.
    pub retry_after: Option<&'a str>,
}

/// An answer whose body has the bytes asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accepted {
    /// Where in the body they are.
    pub body: Body,
    /// Bytes of the whole file, if the answer says.
    pub total: Option<u64>,
}

/// Which bytes a body has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    /// Those asked for, or the first of them.
    Partial,
    /// The whole file: throw away the first `skip` bytes, and stop reading when there is enough.
    Whole {
        /// Bytes before those asked for.
        skip: u64,
    },
}

impl Answer<'_> {
    /// Decides about an answer to a request for the bytes `asked` of `name`, or for all of it.
    pub fn check(&self, name: &str, asked: Option<&Range<u64>>) -> Result<Accepted, StoreError> {
        if !matches!(self.status, 200 | 206) {
            return Err(self.refusal(name, asked));
        }
        if is_html(self.content_type.unwrap_or_default()) {
            return Err(web_page(name));
        }
        match self.content_encoding.map(str::trim) {
            None | Some("") => {}
            Some(encoding) if encoding.eq_ignore_ascii_case("identity") => {}
            Some(encoding) => {
                return Err(StoreError::Encoded { name: name.into(), encoding: beginning(encoding) });
            }
        }
        match (self.status, asked) {
            (206, Some(asked)) => self.check_partial(name, asked),
            (206, None) => Err(StoreError::Refused { name: name.into(), status: 206 }),
            (_, asked) => self.check_whole(name, asked),
        }
    }

    fn check_partial(&self, name: &str, asked: &Range<u64>) -> Result<Accepted, StoreError> {
        let wrong =
            |found: String| StoreError::WrongRange { name: name.into(), expected: asked.clone(), found };
        let most = asked.end - asked.start;
        let total = match self.content_range {
            None => None,
            Some(header) => match content_range(header) {
                Some((first, last, total)) if first == asked.start && last >= first && last < asked.end => {
                    total
                }
                _ => return Err(wrong(beginning(header))),
            },
        };
        match self.length() {
            Some(length) if length > most => Err(wrong(format!("{length} bytes"))),
            _ => Ok(Accepted { body: Body::Partial, total }),
        }
    }

    fn check_whole(&self, name: &str, asked: Option<&Range<u64>>) -> Result<Accepted, StoreError> {
        let total = self.length();
        let needed = asked.map_or(0, |asked| asked.end);
        match total {
            Some(total) if total < needed => Err(shorter(name, needed, format!("{total} bytes"))),
            _ => Ok(Accepted { body: Body::Whole { skip: asked.map_or(0, |asked| asked.start) }, total }),
        }
    }

    fn refusal(&self, name: &str, asked: Option<&Range<u64>>) -> StoreError {
        let (name, status) = (name.to_owned(), self.status);
        match status {
            404 | 410 => StoreError::NotFound { name, status },
            401 | 403 | 407 => StoreError::Denied { name, status },
            416 => shorter(&name, asked.map_or(0, |asked| asked.end), "a shorter file".into()),
            429 | 503 => {
                // An HTTP date is as good as nothing: no clock here.
                let retry_after = self.retry_after.and_then(|seconds| seconds.trim().parse().ok());
                StoreError::Busy { name, status, retry_after }
            }
            408 | 500..=599 => StoreError::Server { name, status },
            _ => StoreError::Refused { name, status },
        }
    }

    fn length(&self) -> Option<u64> {
        self.content_length?.trim().parse().ok()
    }
}

/// Fails if a file starts as a web page or a pointer does: what some hosts send in a model's place, with status 200.
pub(crate) fn check_start(name: &str, bytes: &[u8]) -> Result<(), StoreError> {
    let start = bytes.trim_ascii_start();
    let starts_with =
        |tag: &[u8]| start.get(..tag.len()).is_some_and(|start| start.eq_ignore_ascii_case(tag));
    if starts_with(b"<!doctype html") || starts_with(b"<html") {
        return Err(web_page(name));
    }
    if starts_with(b"version https://git-lfs.github.com/spec/") {
        return Err(StoreError::NotAModel {
            name: name.into(),
            found: "a Git LFS pointer",
            advice: "Use the address of the file itself, with /resolve/ in place of /raw/ or /blob/.",
        });
    }
    Ok(())
}

/// As much of a header as fits a sentence.
fn beginning(header: &str) -> String {
    header.chars().take(80).collect()
}

fn is_html(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("text/html") || essence.eq_ignore_ascii_case("application/xhtml+xml")
}

fn web_page(name: &str) -> StoreError {
    StoreError::NotAModel {
        name: name.into(),
        found: "a web page",
        advice: "Check the address (on Hugging Face it has /resolve/ in it), \
                 and whether this network wants you to log in first.",
    }
}

fn shorter(name: &str, needed: u64, found: String) -> StoreError {
    StoreError::Changed { name: name.into(), expected: format!("at least {needed} bytes"), found }
}

/// `bytes 0-9/100` as first byte, last byte and, unless it is `*`, the file's length.
fn content_range(header: &str) -> Option<(u64, u64, Option<u64>)> {
    let (unit, rest) = header.trim().split_once(' ')?;
    let (range, total) = rest.trim().split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let total = match total {
        "*" => None,
        total => Some(total.parse().ok()?),
    };
    let (first, last) = (first.parse().ok()?, last.parse().ok()?);
    (unit.eq_ignore_ascii_case("bytes") && total.is_none_or(|total| last < total))
        .then_some((first, last, total))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "https://host/model.gguf";
    const PARTIAL: Answer<'static> = Answer {
        status: 206,
        content_type: Some("application/octet-stream"),
        content_encoding: None,
        content_range: Some("bytes 100-199/1000"),
        content_length: Some("100"),
        retry_after: None,
    };
    const WHOLE: Answer<'static> =
        Answer { status: 200, content_range: None, content_length: Some("1000"), ..PARTIAL };

    fn partial(total: Option<u64>) -> Result<Accepted, StoreError> {
        Ok(Accepted { body: Body::Partial, total })
    }

    fn whole(skip: u64, total: Option<u64>) -> Result<Accepted, StoreError> {
        Ok(Accepted { body: Body::Whole { skip }, total })
    }

    /// An answer to a request for bytes 100 to 199.
    #[track_caller]
    fn check(answer: Answer<'_>, expected: Result<Accepted, StoreError>) {
        assert_eq!(answer.check(NAME, Some(&(100..200))), expected, "{answer:?}");
    }

    #[test]
    fn the_bytes_asked_for_are_taken() {
        check(PARTIAL, partial(Some(1000)));
        check(Answer { content_range: Some("Bytes 100-199/*"), ..PARTIAL }, partial(None));
        // The host may send fewer; the rest is asked for again.
        let fewer =
            Answer { content_range: Some("bytes 100-149/1000"), content_length: Some("50"), ..PARTIAL };
        check(fewer, partial(Some(1000)));
        // Another site's headers can't be seen.
        let unseen = Answer { status: 206, ..Answer::default() };
        check(unseen, partial(None));
        check(Answer { content_encoding: Some(" Identity "), ..PARTIAL }, partial(Some(1000)));
    }

    #[test]
    fn a_whole_file_is_taken_in_place_of_a_part() {
        check(WHOLE, whole(100, Some(1000)));
        check(Answer { content_length: None, ..WHOLE }, whole(100, None));
        check(Answer { content_length: Some("200"), ..WHOLE }, whole(100, Some(200)));
        assert_eq!(WHOLE.check(NAME, None), whole(0, Some(1000)));
        assert_eq!(PARTIAL.check(NAME, None), Err(StoreError::Refused { name: NAME.into(), status: 206 }));
    }

    #[test]
    fn other_bytes_are_refused() {
        for range in [
            "bytes 0-99/1000",
            "bytes 101-199/1000",
            "bytes 100-200/1000",
            "bytes 100-99/1000",
            "bytes 100-199/199",
            "bytes */1000",
            "bytes 100-199",
            "items 100-199/1000",
            "bytes 100-199/99999999999999999999",
            "",
        ] {
            let wrong = StoreError::WrongRange { name: NAME.into(), expected: 100..200, found: range.into() };
            check(Answer { content_range: Some(range), ..PARTIAL }, Err(wrong));
        }
        let long = Answer { content_range: None, content_length: Some("101"), ..PARTIAL };
        let found = "101 bytes".into();
        check(long, Err(StoreError::WrongRange { name: NAME.into(), expected: 100..200, found }));
    }

    #[test]
    fn a_shorter_file_than_before_has_changed() {
        let changed = |found: &str| {
            let (name, expected) = (NAME.into(), "at least 200 bytes".into());
            Err(StoreError::Changed { name, expected, found: found.into() })
        };
        check(Answer { content_length: Some("199"), ..WHOLE }, changed("199 bytes"));
        check(Answer { status: 416, ..Answer::default() }, changed("a shorter file"));
    }

    #[test]
    fn each_refusal_has_its_sentence() {
        let name = || NAME.to_owned();
        for status in [404, 410] {
            check(Answer { status, ..WHOLE }, Err(StoreError::NotFound { name: name(), status }));
        }
        for status in [401, 403, 407] {
            check(Answer { status, ..WHOLE }, Err(StoreError::Denied { name: name(), status }));
        }
        for status in [408, 500, 502, 504, 599] {
            check(Answer { status, ..WHOLE }, Err(StoreError::Server { name: name(), status }));
        }
        for status in [0, 204, 304, 400, 405, 451] {
            check(Answer { status, ..WHOLE }, Err(StoreError::Refused { name: name(), status }));
        }
        for (header, retry_after) in [
            (None, None),
            (Some("120"), Some(120)),
            (Some(" 7 "), Some(7)),
            (Some("-1"), None),
            (Some("Wed, 21 Oct 2026 07:28:00 GMT"), None),
        ] {
            for status in [429, 503] {
                let busy = StoreError::Busy { name: name(), status, retry_after };
                check(Answer { status, retry_after: header, ..WHOLE }, Err(busy));
            }
        }
    }

    #[test]
    fn web_pages_and_compressed_bytes_are_refused() {
        for content_type in ["text/html", "Text/HTML; charset=utf-8", "application/xhtml+xml"] {
            check(Answer { content_type: Some(content_type), ..WHOLE }, Err(web_page(NAME)));
            check(Answer { content_type: Some(content_type), ..PARTIAL }, Err(web_page(NAME)));
        }
        check(Answer { content_type: Some("text/plain"), ..WHOLE }, whole(100, Some(1000)));
        for encoding in ["gzip", "br", "zstd"] {
            let encoded = StoreError::Encoded { name: NAME.into(), encoding: encoding.into() };
            check(Answer { content_encoding: Some(encoding), ..WHOLE }, Err(encoded.clone()));
            check(Answer { content_encoding: Some(encoding), ..PARTIAL }, Err(encoded));
        }
    }

    #[test]
    fn the_first_bytes_give_a_web_page_away() {
        let found = |bytes: &[u8]| match check_start(NAME, bytes) {
            Ok(()) => None,
            Err(StoreError::NotAModel { found, .. }) => Some(found),
            Err(error) => panic!("{error}"),
        };
        for (bytes, expected) in [
            (b"GGUF\x03\0\0\0".as_slice(), None),
            (b"", None),
            (b"<", None),
            (b"<htm", None),
            (b"<html>", Some("a web page")),
            (b"\r\n <!DOCTYPE HTML PUBLIC", Some("a web page")),
            (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", Some("a Git LFS pointer")),
        ] {
            assert_eq!(found(bytes), expected, "{:?}", bytes.escape_ascii().to_string());
        }
    }
}
