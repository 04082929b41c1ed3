//! From a request to an answer: the status, the headers, and which bytes of which file.

use std::fs::File;

use super::Shared;
use super::faults::{self, Fault};
use super::header::{cache_control, content_type};
use super::range::{self, Wanted};
use super::request::{Method, Request};
use super::site::{Found, Missing};

/// What is sent back. `Content-Length` comes from the body.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Body,
    /// How sending the body goes wrong, if a test wants that.
    pub(super) fault: Option<Fault>,
}

/// The bytes after the headers.
pub(super) enum Body {
    Bytes(Vec<u8>),
    /// `len` bytes of `file` from `start`.
    Part {
        file: File,
        start: u64,
        len: u64,
    },
}

impl Body {
    pub(super) fn len(&self) -> u64 {
        match self {
            Body::Bytes(bytes) => bytes.len() as u64,
            Body::Part { len, .. } => *len,
        }
    }
}

/// Answers `request`.
pub(super) fn answer(shared: &Shared, request: &Request) -> Answer {
    let path = path_of(&request.target);
    let Some(faults) = &shared.faults else { return ordinary(shared, request, path) };
    if let Some(question) = request.target.strip_prefix(faults::PREFIX) {
        return faults.ask(question).map_or_else(|| error(400), json);
    }
    let unbroken = ordinary(shared, request, path);
    match faults.take(path, |fault| bites(fault, request, &unbroken)) {
        Some(Fault::Status(status)) => error(status),
        Some(Fault::Html) => html("<!doctype html><title>Sign in</title><p>Please sign in to go on."),
        Some(Fault::Whole) => ordinary(shared, &Request { range: None, ..request.clone() }, path),
        fault => Answer { fault, ..unbroken },
    }
}

fn bites(fault: Fault, request: &Request, answer: &Answer) -> bool {
    let sends_body = request.method == Method::Get;
    match fault {
        Fault::Status(_) | Fault::Html => true,
        Fault::Whole => request.range.is_some(),
        Fault::Cut(after) => sends_body && answer.body.len() > after,
        Fault::Corrupt(at) => {
            let inside =
                matches!(&answer.body, Body::Part { start, len, .. } if at >= *start && at - start < *len);
            sends_body && inside
        }
        Fault::Slow(_) => sends_body,
    }
}

/// The target without its query.
pub(super) fn path_of(target: &str) -> &str {
    target.split('?').next().unwrap_or_default()
}

/// A page of one line, which says the status.
pub(super) fn error(status: u16) -> Answer {
    let text = format!("{status} {}\n", super::header::reason(status));
    let allow = (status == 405).then(|| ("Allow", "GET, HEAD".to_owned()));
    let content_type = ("Content-Type", "text/plain; charset=utf-8".to_owned());
    let headers = [content_type].into_iter().chain(allow).collect();
    Answer { status, headers, body: Body::Bytes(text.into_bytes()), fault: None }
}

fn ordinary(shared: &Shared, request: &Request, path: &str) -> Answer {
    match shared.site.open(path) {
        Ok(found) => file(found, request),
        Err(Missing::NotFound) => error(404),
        Err(Missing::MovedTo(path)) => {
            let mut moved = error(301);
            moved.headers.push(("Location", path));
            moved
        }
    }
}

fn file(found: Found, request: &Request) -> Answer {
    let mut headers = vec![
        ("ETag", found.etag.clone()),
        ("Cache-Control", cache_control(&found.name).to_owned()),
        ("Accept-Ranges", "bytes".to_owned()),
    ];
    if names_etag(request.if_none_match.as_deref(), &found.etag) {
        return Answer { status: 304, headers, body: Body::Bytes(Vec::new()), fault: None };
    }
    headers.push(("Content-Type", content_type(&found.name).to_owned()));
    // A part of another version of the file would be worse than all of this one.
    let same_version = request.if_range.as_ref().is_none_or(|etag| *etag == found.etag);
    let size = found.size;
    let wanted = range::parse(request.range.as_deref().filter(|_| same_version), size);
    let (status, start, len) = match wanted {
        Wanted::Whole => (200, 0, size),
        Wanted::Part { start, len } => {
            headers.push(("Content-Range", format!("bytes {start}-{}/{size}", start + len - 1)));
            (206, start, len)
        }
        Wanted::Outside => {
            let mut outside = error(416);
            outside.headers.push(("Content-Range", format!("bytes */{size}")));
            return outside;
        }
    };
    Answer { status, headers, body: Body::Part { file: found.file, start, len }, fault: None }
}

fn names_etag(if_none_match: Option<&str>, etag: &str) -> bool {
    let same = |candidate: &str| {
        matches!(candidate.trim(), "*") || candidate.trim().trim_start_matches("W/") == etag
    };
    if_none_match.is_some_and(|list| list.split(',').any(same))
}

fn json(value: serde_json::Value) -> Answer {
    let headers =
        vec![("Content-Type", "application/json".to_owned()), ("Cache-Control", "no-store".to_owned())];
    Answer { status: 200, headers, body: Body::Bytes(value.to_string().into_bytes()), fault: None }
}

fn html(page: &str) -> Answer {
    let headers = vec![("Content-Type", "text/html; charset=utf-8".to_owned())];
    Answer { status: 200, headers, body: Body::Bytes(page.as_bytes().to_vec()), fault: None }
}
