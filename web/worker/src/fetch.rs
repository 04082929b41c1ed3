//! A file over HTTP, read by plain ranges through `fetch`.
//!
//! One range is asked for at a time, with no header that would need a preflight. A server that answers with the
//! whole file instead is read on from where it is, across pieces. What the browser's own cache keeps would be kept
//! twice, so it is told not to.

use std::cell::{Cell, RefCell};
use std::ops::Range;

use js_sys::{Reflect, Uint8Array};
use protocol::CatalogueEntry;
use store::{Answer, Body, Hash, PIECE_SIZE, Source, StoreError};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortController, Headers, ReadableStreamDefaultReader, RequestCache, RequestInit, Response};

use crate::port::scope;

/// A remote file.
pub(crate) struct FetchSource {
    url: String,
    size: Cell<Option<u64>>,
    version: RefCell<Option<String>>,
    /// An answer that may have more to give.
    open: RefCell<Option<Stream>>,
}

/// The body of an answer, at byte `at` of the file.
struct Stream {
    reader: ReadableStreamDefaultReader,
    at: u64,
    /// What came beyond the range that was asked for.
    rest: Option<Uint8Array>,
    abort: AbortController,
}

impl FetchSource {
    pub(crate) fn new(url: &str) -> FetchSource {
        FetchSource {
            url: url.to_string(),
            size: Cell::default(),
            version: RefCell::default(),
            open: RefCell::default(),
        }
    }

    /// Asks for a range, or for the whole file. The answer's body may start before the range.
    async fn request(&self, range: Option<&Range<u64>>) -> Result<Stream, StoreError> {
        let abort = AbortController::new().map_err(|error| self.unreachable(&error))?;
        let response = self.fetch(range, &abort).await.map_err(|error| self.unreachable(&error))?;
        let headers = response.headers();
        let header = |name: &str| headers.get(name).ok().flatten();
        let [content_type, content_encoding, content_range, content_length, retry_after] =
            ["content-type", "content-encoding", "content-range", "content-length", "retry-after"]
                .map(header);
        let answer = Answer {
            status: response.status(),
            content_type: content_type.as_deref(),
            content_encoding: content_encoding.as_deref(),
            content_range: content_range.as_deref(),
            content_length: content_length.as_deref(),
            retry_after: retry_after.as_deref(),
        };
        let accepted = answer.check(&self.url, range)?;
        if let Some(total) = accepted.total {
            self.size.set(Some(total));
        }
        *self.version.borrow_mut() = header("etag").or_else(|| header("last-modified"));
        let at = match (accepted.body, range) {
            (Body::Partial, Some(range)) => range.start,
            _ => 0,
        };
        let body = response.body().ok_or_else(|| self.unreachable(&JsValue::from("an empty answer")))?;
        let reader = body.get_reader().unchecked_into();
        Ok(Stream { reader, at, rest: None, abort })
    }

    async fn fetch(&self, range: Option<&Range<u64>>, abort: &AbortController) -> Result<Response, JsValue> {
        let init = RequestInit::new();
        init.set_cache(RequestCache::NoStore);
        init.set_signal(Some(&abort.signal()));
        if let Some(range) = range {
            let headers = Headers::new()?;
            headers.set("range", &format!("bytes={}-{}", range.start, range.end - 1))?;
            init.set_headers(&headers);
        }
        let response = JsFuture::from(scope().fetch_with_str_and_init(&self.url, &init)).await?;
        Ok(response.unchecked_into())
    }

    fn unreachable(&self, error: &JsValue) -> StoreError {
        StoreError::Unreachable {
            name: self.url.clone(),
            detail: describe(error),
            advice: "Check the connection; if it works, the host may not allow other sites to read the file (CORS).",
        }
    }
}

impl Source for FetchSource {
    fn name(&self) -> &str {
        &self.url
    }

    async fn size(&self, next: u64) -> Result<u64, StoreError> {
        // Another site's Content-Range is often hidden from a page, its Content-Length never is: so a range is asked
        // for first, which may become the next piece, and then the whole file.
        for range in [Some(next..next + PIECE_SIZE), None] {
            if self.size.get().is_none() {
                let stream = match self.request(range.as_ref()).await {
                    // The file ends before `next`: it is not the one that was half stored.
                    Err(StoreError::Changed { .. }) if next > 0 => {
                        self.request(Some(&(0..PIECE_SIZE))).await?
                    }
                    answer => answer?,
                };
                *self.open.borrow_mut() = Some(stream);
            }
        }
        self.size.get().ok_or_else(|| StoreError::SizeUnknown { name: self.url.clone() })
    }

    async fn read(
        &self,
        range: Range<u64>,
        into: &mut Vec<u8>,
        arrived: &mut dyn FnMut(u64),
    ) -> Result<(), StoreError> {
        let open = self.open.borrow_mut().take().filter(|stream| stream.at <= range.start);
        let mut stream = match open {
            Some(stream) if stream.at == range.start => stream,
            _ => self.request(Some(&range)).await?,
        };
        while stream.at < range.end {
            // An early end means the same as a cut connection: the caller goes on behind what came.
            let Some(chunk) = stream.next().await.unwrap_or_default() else {
                return Ok(());
            };
            let (from, to) = (stream.at, stream.at + u64::from(chunk.length()));
            // Before the range lies what a server sends that ignores ranges, behind it what the next piece wants.
            let wanted = from.max(range.start).min(to)..to.min(range.end);
            let part =
                |range: Range<u64>| chunk.subarray((range.start - from) as u32, (range.end - from) as u32);
            append(&part(wanted.clone()), into);
            arrived(wanted.end - wanted.start);
            stream.at = to.min(range.end);
            stream.rest = (to > range.end).then(|| part(range.end..to));
        }
        *self.open.borrow_mut() = Some(stream);
        Ok(())
    }

    async fn pause(&self, milliseconds: u32) {
        pause(milliseconds).await;
    }

    fn version(&self) -> Option<String> {
        self.version.borrow().clone()
    }
}

impl Stream {
    /// The next bytes; `None` at the end.
    async fn next(&mut self) -> Result<Option<Uint8Array>, JsValue> {
        if let Some(rest) = self.rest.take() {
            return Ok(Some(rest));
        }
        let chunk = JsFuture::from(self.reader.read()).await?;
        let value = Reflect::get(&chunk, &JsValue::from("value"))?;
        Ok(value.dyn_into().ok())
    }
}

impl Drop for Stream {
    /// A load that was given up must not go on in the background.
    fn drop(&mut self) {
        self.abort.abort();
    }
}

/// Appends JS bytes.
pub(crate) fn append(bytes: &Uint8Array, into: &mut Vec<u8>) {
    let start = into.len();
    into.resize(start + bytes.length() as usize, 0);
    bytes.copy_to(&mut into[start..]);
}

/// An address as the store knows it, whatever page it was written on.
pub(crate) fn absolute(url: &str) -> String {
    let base = scope().location().href();
    web_sys::Url::new_with_base(url, &base).map_or_else(|_| url.to_string(), |url| url.href())
}

/// The published hashes of a model's pieces.
pub(crate) fn expected(pieces: &[String]) -> Result<Vec<Hash>, StoreError> {
    pieces.iter().map(|piece| piece.parse()).collect()
}

/// What an exception says of itself.
pub(crate) fn describe(error: &JsValue) -> String {
    let message = Reflect::get(error, &JsValue::from("message")).ok().and_then(|message| message.as_string());
    message.or_else(|| error.as_string()).unwrap_or_else(|| format!("{error:?}"))
}

/// Waits without blocking the worker.
pub(crate) async fn pause(milliseconds: u32) {
    let wait = js_sys::Promise::new(&mut |resolve, _| {
        // Without a timer there is no pause, which is no harm.
        drop(scope().set_timeout_with_callback_and_timeout_and_arguments_0(&resolve, milliseconds as i32));
    });
    drop(JsFuture::from(wait).await);
}

/// What the site offers: `models.json` beside the page. A site without one offers nothing.
pub(crate) async fn catalogue() -> Vec<CatalogueEntry> {
    let text = async {
        let response: Response =
            JsFuture::from(scope().fetch_with_str("./models.json")).await.ok()?.unchecked_into();
        JsFuture::from(response.ok().then(|| response.text())?.ok()?).await.ok()?.as_string()
    };
    text.await.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
}
