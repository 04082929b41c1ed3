//! The server over real sockets.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use super::{CONTENT_SECURITY_POLICY, Mount, Server, Site, TestHooks};

/// A folder that goes away with the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("pronk-serve-{}-{number}", std::process::id()));
        std::fs::create_dir_all(path.join("site/sub")).unwrap();
        std::fs::create_dir_all(path.join("models")).unwrap();
        for (name, content) in [
            ("secret.txt", &b"secret"[..]),
            ("site/index.html", b"<p>page"),
            ("site/worker-0123456789abcdef.js", b"worker"),
            ("site/sub/index.html", b"<p>sub"),
            ("site/.hidden", b"hidden"),
            ("site/empty.bin", b""),
            ("models/a b.gguf", b"0123456789"),
        ] {
            std::fs::write(path.join(name), content).unwrap();
        }
        #[cfg(unix)]
        std::os::unix::fs::symlink(path.join("secret.txt"), path.join("site/link.txt")).unwrap();
        Folder(path)
    }

    fn serve(&self, hooks: TestHooks) -> Server {
        let site = Site::new(vec![
            Mount { path: "/app/".to_owned(), folder: self.0.join("site") },
            Mount { path: "/app/models/".to_owned(), folder: self.0.join("models") },
        ]);
        Server::start(site.unwrap(), 0, hooks).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Sends `request` as it stands and reads until the server closes.
fn talk(server: &Server, request: &str) -> (String, Vec<u8>) {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply).unwrap();
    let end = reply.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    (String::from_utf8(reply[..end].to_vec()).unwrap(), reply[end + 4..].to_vec())
}

fn get(server: &Server, path: &str, headers: &str) -> (String, Vec<u8>) {
    talk(server, &format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n"))
}

#[track_caller]
fn check(server: &Server, path: &str, headers: &str, status: u16, body: &[u8], wanted: &[&str]) {
    let (head, got) = get(server, path, headers);
    assert!(
        head.starts_with(&format!("HTTP/1.1 {status} ")),
        "{path} {headers}: wanted {status}, got {head}"
    );
    assert_eq!(String::from_utf8_lossy(&got), String::from_utf8_lossy(body), "{path} {headers}");
    for line in wanted {
        assert!(head.lines().any(|have| have == *line), "{path} {headers}: no line {line} in {head}");
    }
    assert!(head.contains(CONTENT_SECURITY_POLICY), "{path}: no policy in {head}");
    assert!(head.contains("X-Content-Type-Options: nosniff"), "{path}: {head}");
}

#[test]
fn files_and_their_types() {
    let folder = Folder::new();
    let server = folder.serve(TestHooks::Off);
    let html = ["Content-Type: text/html; charset=utf-8", "Cache-Control: no-cache", "Content-Length: 7"];
    check(&server, "/app/", "", 200, b"<p>page", &html);
    check(&server, "/app/index.html?query", "", 200, b"<p>page", &html);
    let worker = [
        "Content-Type: text/javascript; charset=utf-8",
        "Cache-Control: public, max-age=31536000, immutable",
    ];
    check(&server, "/app/worker-0123456789abcdef.js", "", 200, b"worker", &worker);
    let model = ["Content-Type: application/octet-stream", "Accept-Ranges: bytes"];
    check(&server, "/app/models/a%20b.gguf", "", 200, b"0123456789", &model);
    check(&server, "/app", "", 301, b"301 Moved Permanently\n", &["Location: /app/"]);
    check(&server, "/app/sub", "", 301, b"301 Moved Permanently\n", &["Location: /app/sub/"]);
    check(&server, "/app/sub/", "", 200, b"<p>sub", &[]);
    check(&server, "/app/empty.bin", "", 200, b"", &["Content-Length: 0"]);
}

#[test]
fn what_is_not_there_or_not_to_be_seen() {
    let folder = Folder::new();
    let server = folder.serve(TestHooks::Off);
    for path in [
        "/",
        "/app/missing",
        "/app/../secret.txt",
        "/app/%2e%2e/secret.txt",
        "/app/sub/..%2f..%2f..%2fsecret.txt",
        "/app/..%5csecret.txt",
        "/app//secret.txt",
        "/app//etc/passwd",
        "/app/.hidden",
        "/app/%2ehidden",
        "/app/link.txt",
        "/app/models/",
        "/app/index.html%00.js",
        "/app/%zz",
        "/app/%e",
        "/app/%ff",
        "/__test__/requests",
    ] {
        check(&server, path, "", 404, b"404 Not Found\n", &[]);
    }
}

#[test]
fn ranges() {
    let folder = Folder::new();
    let server = folder.serve(TestHooks::Off);
    let model = "/app/models/a%20b.gguf";
    check(
        &server,
        model,
        "Range: bytes=2-4\r\n",
        206,
        b"234",
        &["Content-Range: bytes 2-4/10", "Content-Length: 3"],
    );
    check(&server, model, "Range: bytes=8-99\r\n", 206, b"89", &["Content-Range: bytes 8-9/10"]);
    check(&server, model, "Range: bytes=-1\r\n", 206, b"9", &["Content-Range: bytes 9-9/10"]);
    check(
        &server,
        model,
        "Range: bytes=10-\r\n",
        416,
        b"416 Range Not Satisfiable\n",
        &["Content-Range: bytes */10"],
    );
    check(&server, model, "Range: bytes=0-1,4-5\r\n", 200, b"0123456789", &[]);

    let (head, _) = get(&server, model, "");
    let etag = head.lines().find_map(|line| line.strip_prefix("ETag: ")).unwrap();
    let with = |name: &str| format!("{name}: {etag}\r\nRange: bytes=2-4\r\n");
    check(&server, model, &with("If-Range"), 206, b"234", &[]);
    check(&server, model, "If-Range: \"other\"\r\nRange: bytes=2-4\r\n", 200, b"0123456789", &[]);
    check(&server, model, &with("If-None-Match"), 304, b"", &[]);
    check(&server, model, "If-None-Match: \"other\", W/\"another\"\r\n", 200, b"0123456789", &[]);
}

#[test]
fn head_says_as_much_as_get_without_the_body() {
    let folder = Folder::new();
    let server = folder.serve(TestHooks::Off);
    let (head, body) = talk(&server, "HEAD /app/ HTTP/1.1\r\nConnection: close\r\n\r\n");
    assert_eq!(head, get(&server, "/app/", "").0);
    assert_eq!(body, b"");
}

#[test]
fn one_connection_carries_many_requests() {
    let folder = Folder::new();
    let server = folder.serve(TestHooks::Off);
    let one = "GET /app/models/a%20b.gguf HTTP/1.1\r\nRange: bytes=3-3\r\n\r\n";
    let requests = format!("{}GET /app/sub/ HTTP/1.0\r\n\r\n", one.repeat(20));
    let (_, rest) = talk(&server, &requests);
    let rest = String::from_utf8(rest).unwrap();
    assert_eq!(rest.matches("HTTP/1.1 206").count(), 19, "{rest}"); // The first head is cut off by `talk`.
    assert!(rest.ends_with("<p>sub"), "{rest}");
}

#[test]
fn bad_requests_get_an_answer_and_a_closed_connection() {
    let folder = Folder::new();
    let server = folder.serve(TestHooks::Off);
    let long = format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "y".repeat(100_000));
    for (request, status) in [
        ("nonsense\r\n\r\n", 400),
        ("PUT / HTTP/1.1\r\n\r\n", 405),
        ("GET / HTTP/9\r\n\r\n", 505),
        (&long, 431),
    ] {
        let (head, _) = talk(&server, request);
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{request:.20}: {head}");
        assert!(head.contains("Connection: close"), "{request:.20}: {head}");
    }
}

#[test]
fn many_clients_at_once() {
    let folder = Folder::new();
    let server = folder.serve(TestHooks::Off);
    // Silent ones must not keep the others waiting.
    let silent: Vec<_> = (0..20).map(|_| TcpStream::connect(server.address()).unwrap()).collect();
    std::thread::scope(|scope| {
        for _ in 0..40 {
            scope.spawn(|| check(&server, "/app/models/a%20b.gguf", "Range: bytes=1-2\r\n", 206, b"12", &[]));
        }
    });
    drop(silent);
}

#[test]
fn a_port_that_is_taken_is_an_error() {
    let folder = Folder::new();
    let server = folder.serve(TestHooks::Off);
    let site = Site::new(vec![Mount { path: "/".to_owned(), folder: folder.0.clone() }]).unwrap();
    let port = server.address().port();
    assert!(Server::start(site.clone(), port, TestHooks::Off).is_err());
    drop(server);
    assert!(Server::start(site, port, TestHooks::Off).is_ok(), "the port is free once the server is dropped");
}

#[test]
fn faults_break_what_they_say_and_no_more() {
    let folder = Folder::new();
    let server = folder.serve(TestHooks::On);
    let model = "/app/models/a%20b.gguf";
    let fault =
        |query: &str| check(&server, &format!("/__test__/fault?path=.gguf&{query}"), "", 200, b"[]", &[]);
    let reset = || check(&server, "/__test__/reset", "", 200, b"[]", &[]);

    fault("kind=status&value=503&times=1");
    check(&server, model, "", 503, b"503 Service Unavailable\n", &[]);
    check(&server, model, "", 200, b"0123456789", &[]);
    reset();
    fault("kind=cut&value=4&times=1");
    check(&server, model, "", 200, b"0123", &["Content-Length: 10"]);
    reset();
    fault("kind=whole");
    check(&server, model, "Range: bytes=2-4\r\n", 200, b"0123456789", &[]);
    check(&server, "/app/", "Range: bytes=0-0\r\n", 206, b"<", &[]);
    reset();
    fault("kind=corrupt&value=3&times=1");
    check(&server, model, "Range: bytes=4-9\r\n", 206, b"456789", &[]);
    check(&server, model, "Range: bytes=2-4\r\n", 206, &[b'2', b'3' ^ 0xff, b'4'], &[]);
    reset();
    fault("kind=html");
    let html = ["Content-Type: text/html; charset=utf-8"];
    check(
        &server,
        model,
        "",
        200,
        b"<!doctype html><title>Sign in</title><p>Please sign in to go on.",
        &html,
    );
    check(&server, "/__test__/fault?path=x&kind=unknown", "", 400, b"400 Bad Request\n", &[]);
}

#[test]
fn tests_can_read_what_was_asked_for() {
    let folder = Folder::new();
    let server = folder.serve(TestHooks::On);
    check(&server, "/app/models/a%20b.gguf?v=1", "Range: bytes=2-4\r\n", 206, b"234", &[]);
    let list = br#"[{"path":"/app/models/a%20b.gguf","range":"bytes=2-4","status":206,"sent":3}]"#;
    check(&server, "/__test__/requests", "", 200, list, &[]);
}
