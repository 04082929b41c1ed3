//! One connection: requests in, answers out, until one side has had enough.

use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Shared;
use super::answer::{self, Answer, Body};
use super::faults::{self, Fault, Served};
use super::header::{ALWAYS, reason};
use super::request::{Method, Reader, Refusal};

/// How long a client may be silent between two requests.
const IDLE: Duration = Duration::from_secs(60);
/// How long a client may take none of what we send.
const STALLED: Duration = Duration::from_secs(60);
/// Bytes read from the disk and sent at a time.
const CHUNK: usize = 64 * 1024;

/// Serves a connection to its end.
pub(super) fn serve(stream: TcpStream, shared: &Shared) {
    // Whatever goes wrong here, there is nobody left to tell.
    let _ = serve_until_error(&stream, shared);
    close(&stream);
}

/// Tells a client that there are too many.
pub(super) fn refuse(mut stream: TcpStream) {
    let _ = send_head(&mut stream, &answer::error(503), Connection::Close);
    let _ = stream.shutdown(Shutdown::Both);
}

fn serve_until_error(mut stream: &TcpStream, shared: &Shared) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(IDLE))?;
    stream.set_write_timeout(Some(STALLED))?;
    let mut reader = Reader::new(stream);
    while !shared.stopping.load(Ordering::Relaxed) {
        let request = match reader.next() {
            Ok(request) => request,
            Err(Refusal::Gone) => break,
            Err(Refusal::Status(status)) => {
                let answer = answer::error(status);
                send_head(&mut stream, &answer, Connection::Close)?;
                return send_body(&mut stream, answer).map(drop);
            }
        };
        let answer = answer::answer(shared, &request);
        let cut = matches!(answer.fault, Some(Fault::Cut(_)));
        let status = answer.status;
        let connection = if request.keep_alive { Connection::KeepAlive } else { Connection::Close };
        send_head(&mut stream, &answer, connection)?;
        let sent = match request.method {
            Method::Get if status != 304 => send_body(&mut stream, answer),
            Method::Get | Method::Head => Ok(0),
        };
        if let Some(faults) = shared.faults.as_ref().filter(|_| !request.target.starts_with(faults::PREFIX)) {
            let path = answer::path_of(&request.target).to_owned();
            faults.record(Served { path, range: request.range, status, sent: *sent.as_ref().unwrap_or(&0) });
        }
        sent?;
        if cut || connection == Connection::Close {
            break;
        }
    }
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Connection {
    KeepAlive,
    Close,
}

fn send_head(stream: &mut impl Write, answer: &Answer, connection: Connection) -> io::Result<()> {
    let mut out = BufWriter::new(stream);
    write!(out, "HTTP/1.1 {} {}\r\n", answer.status, reason(answer.status))?;
    for (name, value) in ALWAYS {
        write!(out, "{name}: {value}\r\n")?;
    }
    for (name, value) in &answer.headers {
        write!(out, "{name}: {value}\r\n")?;
    }
    // A 304 has no body, and a length would speak of the one that it would have had.
    if answer.status != 304 {
        write!(out, "Content-Length: {}\r\n", answer.body.len())?;
    }
    let connection = if connection == Connection::KeepAlive { "keep-alive" } else { "close" };
    write!(out, "Connection: {connection}\r\n\r\n")?;
    out.flush()
}

/// Sends the body, or as much of it as the fault allows; says how many bytes.
fn send_body(stream: &mut impl Write, answer: Answer) -> io::Result<u64> {
    let fault = answer.fault;
    let (mut file, start, len) = match answer.body {
        Body::Bytes(bytes) => return stream.write_all(&bytes).map(|()| bytes.len() as u64),
        Body::Part { file, start, len } => (file, start, len),
    };
    file.seek(SeekFrom::Start(start))?;
    let end = match fault {
        Some(Fault::Cut(after)) => after.min(len),
        _ => len,
    };
    let mut chunk = vec![0; CHUNK];
    let mut sent = 0;
    while sent < end {
        let wanted = usize::try_from(end - sent).unwrap_or(CHUNK).min(CHUNK);
        let read = file.read(chunk.get_mut(..wanted).unwrap_or_default())?;
        let Some(bytes) = chunk.get_mut(..read).filter(|bytes| !bytes.is_empty()) else {
            return Err(io::ErrorKind::UnexpectedEof.into());
        };
        spoil(bytes, start + sent, fault);
        stream.write_all(bytes)?;
        sent += read as u64;
    }
    Ok(sent)
}

/// Applies what a fault does to the bytes that lie at `offset` of the file.
fn spoil(bytes: &mut [u8], offset: u64, fault: Option<Fault>) {
    match fault {
        Some(Fault::Corrupt(at)) => {
            let index = at.checked_sub(offset).and_then(|index| usize::try_from(index).ok());
            if let Some(byte) = index.and_then(|index| bytes.get_mut(index)) {
                *byte ^= 0xff;
            }
        }
        Some(Fault::Slow(rate)) => {
            std::thread::sleep(Duration::from_secs_f64(bytes.len() as f64 / rate as f64))
        }
        _ => {}
    }
}

/// Lets the client read our last answer: closing at once, with bytes of its own unread, would throw that away.
fn close(mut stream: &TcpStream) {
    let _ = stream.shutdown(Shutdown::Write);
    let _ = stream.set_read_timeout(Some(Duration::from_millis(200)));
    let mut rest = [0; 4096];
    for _ in 0..64 {
        if !matches!(stream.read(&mut rest), Ok(1..)) {
            break;
        }
    }
}
