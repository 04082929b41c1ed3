//! A host of one model on this machine's loopback, well-behaved or not, that counts what it is asked.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How the host behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Host {
    /// 206 and the range.
    Ranges,
    /// 200 and the whole file, whatever is asked.
    Whole,
    /// 206 and the range, but the first long body ends after this many bytes.
    CutOnce(usize),
    /// A status and nothing else.
    Status(u16),
    /// 200 and a page.
    WebPage,
    /// The whole file, as if compressed.
    Gzip,
    /// The whole file without its length.
    NoLength,
    /// 206 and the range, of another file from one request on, counted from 1.
    Replaced {
        /// Which request.
        from: u64,
        /// How the answers show it.
        shows: Shows,
    },
}

/// How an answer shows which file it is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shows {
    ETag,
    LastModified,
    /// By nothing but the file's length.
    Length,
}

/// A running host. Its threads end with the test program.
pub(crate) struct Server {
    url: String,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    connections: AtomicU64,
    requests: AtomicU64,
    sent: AtomicU64,
    cut: AtomicU64,
}

impl Server {
    pub(crate) fn start(host: Host, file: Vec<u8>) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/model.gguf", listener.local_addr().unwrap());
        let counts = Arc::new(Counts::default());
        let (shared, file) = (Arc::clone(&counts), Arc::new(file));
        std::thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                shared.connections.fetch_add(1, Ordering::SeqCst);
                let (counts, file) = (Arc::clone(&shared), Arc::clone(&file));
                std::thread::spawn(move || serve(host, &file, &counts, connection));
            }
        });
        Server { url, counts }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn connections(&self) -> u64 {
        self.counts.connections.load(Ordering::SeqCst)
    }

    pub(crate) fn requests(&self) -> u64 {
        self.counts.requests.load(Ordering::SeqCst)
    }

    /// Bytes of bodies.
    pub(crate) fn sent(&self) -> u64 {
        self.counts.sent.load(Ordering::SeqCst)
    }
}

/// Answers requests until the connection ends, from whichever side.
fn serve(host: Host, file: &[u8], counts: &Counts, mut connection: TcpStream) {
    let mut reader = BufReader::new(connection.try_clone().unwrap());
    while let Some((path, range)) = read_request(&mut reader) {
        counts.requests.fetch_add(1, Ordering::SeqCst);
        // Nothing lies beside the model.
        let host = if path == "/model.gguf" { host } else { Host::Status(404) };
        let range = range.map_or(0..file.len(), |range| range.start..range.end.min(file.len()));
        let (head, body, goes_on) = answer(host, file, range, counts);
        counts.sent.fetch_add(body.len() as u64, Ordering::SeqCst);
        let written = connection.write_all(head.as_bytes()).and_then(|()| connection.write_all(body));
        if written.is_err() || !goes_on {
            return;
        }
    }
}

/// The path of the next request, and its range, if it has one; `None` at the end.
fn read_request(reader: &mut impl BufRead) -> Option<(String, Option<Range<usize>>)> {
    let mut first = String::new();
    reader.read_line(&mut first).ok()?;
    let path = first.split(' ').nth(1)?.to_owned();
    let mut range = None;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim_end().to_ascii_lowercase();
        if let Some(bytes) = line.strip_prefix("range: bytes=") {
            let (first, last) = bytes.split_once('-').unwrap();
            range = Some(first.parse().unwrap()..last.parse::<usize>().unwrap() + 1);
        }
        if line.is_empty() {
            return Some((path, range));
        }
    }
}

/// Head and body of an answer, and whether the connection stays open.
fn answer<'a>(host: Host, file: &'a [u8], range: Range<usize>, counts: &Counts) -> (String, &'a [u8], bool) {
    let whole = |headers: &str| format!("HTTP/1.1 200 OK\r\n{headers}Content-Length: {}\r\n\r\n", file.len());
    let part = &file[range.clone()];
    let partial_of = |version: &str, total: usize| {
        let (first, last) = (range.start, range.end - 1);
        let headers =
            format!("Content-Range: bytes {first}-{last}/{total}\r\nContent-Length: {}", part.len());
        format!("HTTP/1.1 206 Partial Content\r\n{version}{headers}\r\n\r\n")
    };
    let partial = || partial_of("ETag: \"1\"\r\n", file.len());
    match host {
        Host::Ranges => (partial(), part, true),
        Host::Whole => (whole(""), file, true),
        Host::CutOnce(after) if part.len() > after && counts.cut.fetch_add(1, Ordering::SeqCst) == 0 => {
            (partial(), &part[..after], false)
        }
        Host::CutOnce(_) => (partial(), part, true),
        Host::Status(status) => (format!("HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n"), b"", true),
        Host::WebPage => {
            let page = b"<!doctype html><title>Log in</title>";
            let head = format!("Content-Type: text/html; charset=utf-8\r\nContent-Length: {}", page.len());
            (format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n"), page, true)
        }
        Host::Gzip => (whole("Content-Encoding: gzip\r\n"), file, true),
        Host::Replaced { from, shows } => {
            let version = if counts.requests.load(Ordering::SeqCst) < from { 1 } else { 2 };
            let head = match shows {
                Shows::ETag => partial_of(&format!("ETag: \"{version}\"\r\n"), file.len()),
                Shows::LastModified => {
                    let date = format!("Last-Modified: Wed, 0{version} Jan 2025 00:00:00 GMT\r\n");
                    partial_of(&date, file.len())
                }
                Shows::Length => partial_of("", file.len() + version - 1),
            };
            (head, part, true)
        }
        Host::NoLength => ("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".to_owned(), file, false),
    }
}
