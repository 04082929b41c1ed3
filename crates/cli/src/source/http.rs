//! A model on an HTTP server, read by single plain ranges.
//!
//! A host that answers a range with the whole file (200 in place of 206) is read as one stream: its answer stays
//! open between two reads, so that a model still comes only once.

use std::cell::{Cell, RefCell};
use std::io::Read;
use std::net::IpAddr;
use std::ops::Range;
use std::time::Duration;

use anyhow::{Context, Result};
use store::{Answer, Body, Source, StoreError};
use ureq::http::{Response, Uri, header};
use ureq::{Agent, BodyReader};

/// To open a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// Between a request and its answer, and between two lots of bytes.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(60);

/// Bytes that are asked of the connection at once.
const LOT: usize = 64 << 10;

/// A file on a server.
pub(crate) struct HttpSource {
    url: String,
    agent: Agent,
    version: RefCell<Option<String>>,
    /// How long it is, once the host has said so.
    total: Cell<Option<u64>>,
    /// The whole file on its way.
    open: RefCell<Option<Stream>>,
}

/// A body that is being read.
struct Stream {
    reader: BodyReader<'static>,
    /// The file's byte that comes next.
    at: u64,
    length: Length,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Length {
    /// The bytes asked for.
    Part,
    /// All up to the file's end.
    Rest,
}

impl HttpSource {
    /// Fails if `url` is not an address. Nothing is asked yet.
    pub(crate) fn new(url: &str) -> Result<HttpSource> {
        let parsed: Uri = url.parse().with_context(|| format!("{url} is not a valid address"))?;
        let host = parsed.host().filter(|host| !host.is_empty());
        let host = host.with_context(|| format!("{url} names no host"))?;
        let config = Agent::config_builder()
            .user_agent(concat!("pronk/", env!("CARGO_PKG_VERSION")))
            .http_status_as_error(false)
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .timeout_recv_response(Some(SILENCE_TIMEOUT))
            .timeout_per_read(Some(SILENCE_TIMEOUT));
        // As in browsers: a proxy knows another "localhost" than we do.
        let config = if is_this_machine(host) { config.proxy(None) } else { config };
        Ok(HttpSource {
            url: url.to_owned(),
            agent: config.build().into(),
            version: RefCell::default(),
            total: Cell::default(),
            open: RefCell::default(),
        })
    }

    fn get(&self, range: &Range<u64>) -> Result<Response<ureq::Body>, StoreError> {
        let bytes = format!("bytes={}-{}", range.start, range.end - 1);
        let answer = self.agent.get(&self.url).header(header::RANGE, bytes).call();
        answer.map_err(|error| StoreError::Unreachable {
            name: self.url.clone(),
            detail: error.to_string(),
            advice: "Check the address and the connection.",
        })
    }

    /// Asks for `range`; what comes may be more or less. Also says how long the file is, if the host does.
    fn request(&self, range: &Range<u64>) -> Result<(Stream, Option<u64>), StoreError> {
        let response = self.get(range)?;
        let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        let accepted = Answer {
            status: response.status().as_u16(),
            content_type: header(header::CONTENT_TYPE),
            content_encoding: header(header::CONTENT_ENCODING),
            content_range: header(header::CONTENT_RANGE),
            content_length: header(header::CONTENT_LENGTH),
            retry_after: header(header::RETRY_AFTER),
        }
        .check(&self.url, Some(range))?;
        let version = header(header::ETAG).or(header(header::LAST_MODIFIED));
        self.version.replace(version.map(str::to_owned));
        self.check_total(accepted.total)?;
        let mut reader = response.into_body().into_reader();
        let length = match accepted.body {
            Body::Partial => Length::Part,
            Body::Whole { skip } => {
                self.skip(&mut reader, skip, range)?;
                Length::Rest
            }
        };
        Ok((Stream { reader, at: range.start, length }, accepted.total))
    }

    /// That the host says of each answer's file that it is as long as the first one's.
    fn check_total(&self, total: Option<u64>) -> Result<(), StoreError> {
        let known = self.total.get();
        self.total.set(known.or(total));
        match (known, total) {
            (Some(known), Some(total)) if known != total => {
                let (expected, found) = (format!("{known} bytes"), format!("{total} bytes"));
                Err(StoreError::Changed { name: self.url.clone(), expected, found })
            }
            _ => Ok(()),
        }
    }

    fn skip(&self, reader: &mut impl Read, skip: u64, range: &Range<u64>) -> Result<(), StoreError> {
        match std::io::copy(&mut reader.take(skip), &mut std::io::sink()) {
            Ok(skipped) if skipped == skip => Ok(()),
            _ => Err(self.cut(range.start, range.end)),
        }
    }

    fn cut(&self, at: u64, end: u64) -> StoreError {
        StoreError::Cut { name: self.url.clone(), at, end }
    }
}

fn is_this_machine(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse();
    host == "localhost" || address.is_ok_and(|address: IpAddr| address.is_loopback())
}

impl Stream {
    /// Goes on to the end: only a body whose end has been seen gives its connection back for the next request.
    /// A host that sends much more than was asked is not listened to.
    fn finish(&mut self) {
        let _ = self.reader.by_ref().take(LOT as u64).read_to_end(&mut Vec::new());
    }
}

impl Source for HttpSource {
    fn name(&self) -> &str {
        &self.url
    }

    /// Asks for the first byte rather than by HEAD, which signed addresses often refuse.
    async fn size(&self, _next: u64) -> Result<u64, StoreError> {
        let (mut stream, total) = match self.request(&(0..1)) {
            // Without a first byte there are none.
            Err(StoreError::Changed { .. }) => return Ok(0),
            answer => answer?,
        };
        match stream.length {
            Length::Rest => drop(self.open.replace(Some(stream))),
            Length::Part => stream.finish(),
        }
        total.ok_or_else(|| StoreError::SizeUnknown { name: self.url.clone() })
    }

    async fn read(
        &self,
        range: Range<u64>,
        into: &mut Vec<u8>,
        arrived: &mut dyn FnMut(u64),
    ) -> Result<(), StoreError> {
        let mut stream = match self.open.take() {
            Some(stream) if stream.at == range.start => stream,
            _ => self.request(&range)?.0,
        };
        let mut lot = vec![0; LOT];
        while stream.at < range.end {
            let wanted = lot.len().min(usize::try_from(range.end - stream.at).unwrap_or(LOT));
            let count = match stream.reader.read(&mut lot[..wanted]) {
                Ok(0) => return Ok(()),
                Ok(count) => count,
                Err(_) => return Err(self.cut(stream.at, range.end)),
            };
            into.extend(&lot[..count]);
            stream.at += count as u64;
            arrived(count as u64);
        }
        match stream.length {
            Length::Rest => drop(self.open.replace(Some(stream))),
            Length::Part => stream.finish(),
        }
        Ok(())
    }

    async fn pause(&self, milliseconds: u32) {
        std::thread::sleep(Duration::from_millis(milliseconds.into()));
    }

    fn version(&self) -> Option<String> {
        self.version.borrow().clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_and_others() {
        let rows = [
            ("localhost", true),
            ("127.0.0.1", true),
            ("127.9.9.9", true),
            ("[::1]", true),
            ("192.168.0.1", false),
            ("127.0.0.1.example.com", false),
            ("localhost.example.com", false),
        ];
        for (host, expected) in rows {
            assert_eq!(is_this_machine(host), expected, "{host}");
        }
    }
}
