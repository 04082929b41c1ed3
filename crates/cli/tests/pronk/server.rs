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
    while let Some(range) = read_request(&mut reader) {
        counts.requests.fetch_add(1, Ordering::SeqCst);
        let range = range.map_or(0..file.len(), |range| range.start..range.end.min(file.len()));
        let (head, body, goes_on) = answer(host, file, range, counts);
        counts.sent.fetch_add(body.len() as u64, Ordering::SeqCst);
        let written = connection.write_all(head.as_bytes()).and_then(|()| connection.write_all(body));
        if written.is_err() || !goes_on {
            return;
        }
    }
}

/// The range of the next request, if it has one; `None` at the end.
fn read_request(reader: &mut impl BufRead) -> Option<Option<Range<usize>>> {
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
            return Some(range);
        }
    }
}

/// Head and body of an answer, and whether the connection stays open.
fn answer<'a>(host: Host, file: &'a [u8], range: Range<usize>, counts: &Counts) -> (String, &'a [u8], bool) {
    let whole = |headers: &str| format!("HTTP/1.1 200 OK\r\n{headers}Content-Length: {}\r\n\r\n", file.len());
    let part = &file[range.clone()];
    let partial = || {
        let (first, end, total) = (range.start, range.end, file.len());
        let headers =
            format!("Content-Range: bytes {first}-{}/{total}\r\nContent-Length: {}", end - 1, part.len());
        format!("HTTP/1.1 206 Partial Content\r\nETag: \"1\"\r\n{headers}\r\n\r\n")
    };
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
        Host::NoLength => ("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".to_owned(), file, false),
    }
}
