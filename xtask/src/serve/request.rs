//! Requests as they come over the wire, up to the empty line. None that we answer has a body.

use std::io::{self, Read};
use std::time::{Duration, Instant};

/// Longest head that is read. Browsers stay far below.
const MAX_HEAD: usize = 16 * 1024;
/// Longest time that a head may take, so that a client that sends a byte now and then frees its thread.
const MAX_HEAD_TIME: Duration = Duration::from_secs(30);

/// What is done with the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    Get,
    Head,
}

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) method: Method,
    /// Path and query as sent, beginning with `/`, still percent-encoded.
    pub(super) target: String,
    pub(super) range: Option<String>,
    pub(super) if_range: Option<String>,
    pub(super) if_none_match: Option<String>,
    /// Whether the client wants to ask again on this connection.
    pub(super) keep_alive: bool,
}

/// Why there is no request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The client went away, or said nothing for too long.
    Gone,
    /// To be answered with this status; then the connection is closed.
    Status(u16),
}

/// Reads requests off a connection, keeping what came too early.
pub(super) struct Reader<R> {
    stream: R,
    buffer: Vec<u8>,
}

impl<R: Read> Reader<R> {
    pub(super) fn new(stream: R) -> Reader<R> {
        Reader { stream, buffer: Vec::new() }
    }

    /// The next request.
    pub(super) fn next(&mut self) -> Result<Request, Refusal> {
        let head_len = self.read_head()?;
        let rest = self.buffer.split_off(head_len);
        let head = std::mem::replace(&mut self.buffer, rest);
        parse(&head)
    }

    /// Reads until the buffer holds an empty line; returns how long the head is with it.
    fn read_head(&mut self) -> Result<usize, Refusal> {
        let mut deadline = None;
        loop {
            if let Some(len) = head_len(&self.buffer) {
                return Ok(len);
            }
            if self.buffer.len() > MAX_HEAD {
                return Err(Refusal::Status(431));
            }
            if deadline.is_some_and(|deadline| Instant::now() > deadline) {
                return Err(Refusal::Status(408));
            }
            let mut chunk = [0; 2048];
            let len = match self.stream.read(&mut chunk) {
                Ok(len) => len,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => 0,
            };
            let Some(read) = chunk.get(..len).filter(|read| !read.is_empty()) else {
                return Err(Refusal::Gone);
            };
            self.buffer.extend_from_slice(read);
            // The clock starts with the first byte: between two requests a client may be silent.
            deadline = deadline.or_else(|| Instant::now().checked_add(MAX_HEAD_TIME));
        }
    }
}

fn head_len(buffer: &[u8]) -> Option<usize> {
    buffer.windows(4).position(|window| window == b"\r\n\r\n").map(|at| at + 4).filter(|len| *len <= MAX_HEAD)
}

fn parse(head: &[u8]) -> Result<Request, Refusal> {
    let bad = Refusal::Status(400);
    let Ok(head) = std::str::from_utf8(head) else { return Err(bad) };
    let mut lines = head.trim_end_matches("\r\n").split("\r\n");
    let mut words = lines.next().unwrap_or_default().split(' ');
    let (Some(method), Some(target), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(bad);
    };
    let keep_alive = match version {
        "HTTP/1.1" => true,
        "HTTP/1.0" => false,
        _ => return Err(if version.starts_with("HTTP/") { Refusal::Status(505) } else { bad }),
    };
    let method = match method {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        _ => return Err(Refusal::Status(405)),
    };
    let target = origin_form(target).ok_or(bad)?.to_owned();
    let request = Request { method, target, range: None, if_range: None, if_none_match: None, keep_alive };
    with_headers(request, lines)
}

/// `http://host/path` is allowed too and means `/path`.
fn origin_form(target: &str) -> Option<&str> {
    if target.starts_with('/') {
        return Some(target);
    }
    let after_scheme = target.strip_prefix("http://")?;
    after_scheme.find('/').and_then(|at| after_scheme.get(at..))
}

fn with_headers<'a>(mut request: Request, lines: impl Iterator<Item = &'a str>) -> Result<Request, Refusal> {
    for line in lines {
        let Some((name, value)) = line.split_once(':').filter(|(name, _)| is_token(name)) else {
            return Err(Refusal::Status(400));
        };
        let value = value.trim();
        match name.to_ascii_lowercase().as_str() {
            "range" => request.range = Some(value.to_owned()),
            "if-range" => request.if_range = Some(value.to_owned()),
            "if-none-match" => request.if_none_match = Some(value.to_owned()),
            "connection" if value.eq_ignore_ascii_case("close") => request.keep_alive = false,
            // A body would be taken for the next request.
            "content-length" if value != "0" => return Err(Refusal::Status(413)),
            "transfer-encoding" => return Err(Refusal::Status(413)),
            _ => {}
        }
    }
    Ok(request)
}

fn is_token(name: &str) -> bool {
    !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<Request, Refusal> {
        Reader::new(bytes).next()
    }

    fn get(target: &str) -> Request {
        Request {
            method: Method::Get,
            target: target.to_owned(),
            range: None,
            if_range: None,
            if_none_match: None,
            keep_alive: true,
        }
    }

    #[test]
    fn headers_that_matter_are_kept() {
        let request = read(b"HEAD /a?b HTTP/1.1\r\nHost: x\r\nRANGE:bytes=0-1\r\nIf-Range: \"e\"\r\nif-none-match: \"f\"\r\nConnection: Close\r\n\r\n");
        let wanted = Request {
            method: Method::Head,
            range: Some("bytes=0-1".to_owned()),
            if_range: Some("\"e\"".to_owned()),
            if_none_match: Some("\"f\"".to_owned()),
            keep_alive: false,
            ..get("/a?b")
        };
        assert_eq!(request, Ok(wanted));
    }

    #[test]
    fn two_requests_in_one_packet() {
        let mut reader =
            Reader::new(&b"GET /a HTTP/1.1\r\n\r\nGET http://localhost:1/b HTTP/1.1\r\n\r\n"[..]);
        assert_eq!(reader.next(), Ok(get("/a")));
        assert_eq!(reader.next(), Ok(get("/b")));
        assert_eq!(reader.next(), Err(Refusal::Gone));
    }

    #[test]
    fn what_is_refused() {
        let long_header = format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "y".repeat(MAX_HEAD));
        let rows: [(&[u8], Refusal); 12] = [
            (b"", Refusal::Gone),
            (b"GET / HTTP/1.1\r\nHost: x\r\n", Refusal::Gone),
            (b"GET /\r\n\r\n", Refusal::Status(400)),
            (b"GET / HTTP/1.1 x\r\n\r\n", Refusal::Status(400)),
            (b"GET index.html HTTP/1.1\r\n\r\n", Refusal::Status(400)),
            (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", Refusal::Status(400)),
            (b"GET / HTTP/1.1\r\nbad name: x\r\n\r\n", Refusal::Status(400)),
            (b"GET /\xff HTTP/1.1\r\n\r\n", Refusal::Status(400)),
            (b"GET / HTTP/2\r\n\r\n", Refusal::Status(505)),
            (b"POST / HTTP/1.1\r\n\r\n", Refusal::Status(405)),
            (b"GET / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello", Refusal::Status(413)),
            (long_header.as_bytes(), Refusal::Status(431)),
        ];
        for (bytes, refusal) in rows {
            assert_eq!(
                read(bytes),
                Err(refusal),
                "{}",
                String::from_utf8_lossy(bytes.get(..40).unwrap_or(bytes))
            );
        }
    }
}
