//! Models over HTTP: what is asked of the host, what is kept on disk, and what hosts do wrong.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::run::{MODEL, Scratch, pronk, pronk_caching};
use crate::server::{Host, Server, Shows};

const ASK: [&str; 7] = ["--ids", "233,174,160", "--max-tokens", "3", "--json", "--device", "reference"];

/// The tiny model with zeros behind it, so that it has two pieces.
fn two_pieces() -> Vec<u8> {
    let mut model = std::fs::read(MODEL).unwrap();
    model.resize(17 << 20, 0);
    model
}

fn expected() -> Value {
    pronk(&[&["generate", MODEL], ASK.as_slice()].concat()).json()
}

fn generate(cache: &Path, url: &str) -> Value {
    pronk_caching(cache, &[&["generate", url], ASK.as_slice()].concat()).json()
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[test]
fn a_header_is_read_without_the_weights() {
    let (server, cache) = (Server::start(Host::Ranges, two_pieces()), Scratch::new());
    let mut report = pronk_caching(cache.path(), &["inspect", server.url(), "--json"]).json();
    assert!(server.sent() <= 1 + (1 << 20), "{} bytes for a header of 8512", server.sent());
    assert_eq!(files(cache.path()), Vec::<PathBuf>::new());
    assert_eq!((&report["file"], &report["bytes"]), (&server.url().into(), &(17 << 20).into()));
    let local = pronk(&["inspect", MODEL, "--json"]).json();
    (report["file"], report["bytes"]) = (local["file"].clone(), local["bytes"].clone());
    assert_eq!(report, local);
}

#[test]
fn the_second_run_asks_for_nothing() {
    let (server, cache) = (Server::start(Host::Ranges, two_pieces()), Scratch::new());
    assert_eq!(generate(cache.path(), server.url()), expected());
    let asked = server.requests();
    assert!(asked <= 3 && server.sent() <= 1 + (17 << 20), "{asked} requests, {} bytes", server.sent());
    assert_eq!(server.connections(), 1);
    // Two pieces and the record, and nothing half-written.
    assert_eq!(files(cache.path()).len(), 3);

    assert_eq!(generate(cache.path(), server.url()), expected());
    pronk_caching(cache.path(), &["inspect", server.url()]).text();
    pronk_caching(cache.path(), &["tokenize", server.url(), "--text", "a"]).text();
    assert_eq!(server.requests(), asked);
}

#[test]
fn a_damaged_piece_is_fetched_again() {
    let (server, cache) = (Server::start(Host::Ranges, two_pieces()), Scratch::new());
    generate(cache.path(), server.url());
    let asked = server.requests();
    let piece = files(cache.path()).into_iter().find(|path| path.ends_with("00000.piece")).unwrap();
    let mut bytes = std::fs::read(&piece).unwrap();
    bytes[200_000] ^= 1;
    std::fs::write(&piece, bytes).unwrap();
    assert_eq!(generate(cache.path(), server.url()), expected());
    assert_eq!(server.requests(), asked + 1);
    assert_eq!(generate(cache.path(), server.url()), expected());
    assert_eq!(server.requests(), asked + 1, "it was kept again");
}

#[test]
fn nothing_is_kept_if_told_so() {
    let (server, cache) = (Server::start(Host::Ranges, two_pieces()), Scratch::new());
    let arguments = [&["generate", server.url(), "--no-cache"], ASK.as_slice()].concat();
    for run in 1..=2 {
        assert_eq!(pronk_caching(cache.path(), &arguments).json(), expected());
        assert!(server.sent() >= run * (17 << 20), "run {run}");
    }
    assert_eq!(files(cache.path()), Vec::<PathBuf>::new());
}

/// A cache that can't be written to costs the next run's time, and is told.
#[test]
fn a_model_runs_without_room_to_keep_it() {
    let (server, scratch) = (Server::start(Host::Ranges, two_pieces()), Scratch::new());
    let blocked = scratch.file("cache", "a file where the folder should be");
    let mut ran = pronk_caching(Path::new(&blocked), &[&["generate", server.url()], ASK.as_slice()].concat());
    let remark = std::mem::take(&mut ran.stderr);
    assert!(
        remark.starts_with("pronk: The model runs, but was not kept") && remark.contains(&blocked),
        "{remark}"
    );
    assert_eq!(ran.json(), expected());
}

#[test]
fn a_host_without_ranges_sends_the_file_once() {
    let (server, cache) = (Server::start(Host::Whole, two_pieces()), Scratch::new());
    assert_eq!(generate(cache.path(), server.url()), expected());
    assert_eq!((server.requests(), server.sent()), (1, 17 << 20));
}

#[test]
fn a_cut_connection_is_taken_up_where_it_ended() {
    let (server, cache) = (Server::start(Host::CutOnce(300_000), two_pieces()), Scratch::new());
    assert_eq!(generate(cache.path(), server.url()), expected());
    assert_eq!(server.sent(), 1 + (17 << 20), "no byte came twice, but the first");

    let server = Server::start(Host::CutOnce(5_000), two_pieces());
    pronk_caching(cache.path(), &["inspect", server.url()]).text();
    assert_eq!(server.sent(), 1 + (1 << 20));
}

#[test]
fn what_hosts_send_in_a_models_place() {
    let model = || std::fs::read(MODEL).unwrap();
    let rows = [
        (Host::Status(404), model(), "There is no file at http://127.0.0.1"),
        (Host::Status(410), model(), "There is no file at"),
        (Host::Status(403), model(), "not open to everyone (HTTP status 403)"),
        (Host::Status(400), model(), "refused the request: HTTP status 400"),
        (Host::WebPage, model(), "brought a web page, expected a model file"),
        (Host::Gzip, model(), "compressed (gzip)"),
        (Host::NoLength, model(), "does not say how long"),
        (Host::Whole, b"<html>".repeat(100), "expected"),
        (Host::Ranges, b"GGUF\x03".to_vec(), "the file has only 5 bytes"),
        (Host::Status(416), Vec::new(), "the file has only 0 bytes"),
        (Host::Ranges, model()[..1_000_000].to_vec(), "the file has only 1000000 bytes"),
    ];
    for (host, file, found) in rows {
        let (server, cache) = (Server::start(host, file), Scratch::new());
        pronk_caching(cache.path(), &["inspect", server.url()]).failed_with(found);
        pronk_caching(cache.path(), &[&["generate", server.url()], ASK.as_slice()].concat())
            .failed_with(found);
    }
}

#[test]
fn what_is_no_address() {
    for (url, found) in [
        ("http://", "not a valid address"),
        ("https://a b/model.gguf", "not a valid address"),
        ("http://:80/model.gguf", "names no host"),
    ] {
        pronk(&["inspect", url]).failed_with(found);
    }
}

/// A file that is replaced while it is converted would become a mixture of two, which nothing could tell later.
#[test]
fn a_source_that_changes_is_not_converted() {
    let model = || std::fs::read(MODEL).unwrap();
    let scratch = Scratch::new();
    let convert = |server: &Server, name: &str| {
        let out = scratch.path().join(name);
        let ran = pronk(&["convert", server.url(), out.to_str().unwrap(), "--quant", "q4", "--json"]);
        (ran, out.join("manifest.json").exists())
    };
    let server = Server::start(Host::Ranges, model());
    let (ran, whole) = convert(&server, "undisturbed");
    assert!(ran.code == Some(0) && whole, "{ran:?}");
    // The last request is of a copy that is made to compare speeds with.
    let requests = server.requests() - 1;

    for shows in [Shows::ETag, Shows::LastModified, Shows::Length] {
        let found = match shows {
            Shows::ETag => "has changed: expected version \"1\", found version \"2\"",
            Shows::LastModified => {
                "has changed: expected version Wed, 01 Jan 2025 00:00:00 GMT, found version"
            }
            Shows::Length => "has changed: expected 1618528 bytes, found 1618529 bytes",
        };
        for from in (2..requests).step_by(19).chain([requests]) {
            let server = Server::start(Host::Replaced { from, shows }, model());
            let (ran, whole) = convert(&server, &format!("{shows:?}-{from}"));
            let stderr = ran.stderr.lines().last().unwrap_or_default();
            assert!(ran.code == Some(1) && stderr.contains(found), "{shows:?} from request {from}: {ran:?}");
            assert!(!whole, "{shows:?} from request {from}: there is a manifest");
        }
        let server = Server::start(Host::Replaced { from: u64::MAX, shows }, model());
        let (ran, whole) = convert(&server, &format!("{shows:?}-all"));
        assert!(ran.code == Some(0) && whole, "{shows:?} the same all along: {ran:?}");
    }
}
