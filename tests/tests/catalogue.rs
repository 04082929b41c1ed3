//! `web/models.json` offers what it says: the demo model's size and the hashes of its pieces.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "A test that cannot go on says so by panicking.")]

use std::path::{Path, PathBuf};

use serde_json::Value;
use sha2::{Digest, Sha256};

const PIECE: usize = 16 * 1024 * 1024;

/// `cargo xtask test` fetches the model and says where it is.
fn demo_model() -> PathBuf {
    let path = std::env::var_os("PRONK_DEMO_MODEL");
    path.expect("PRONK_DEMO_MODEL says where the demo model is; `cargo xtask test native` sets it").into()
}

fn catalogue() -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../web/models.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn the_demo_is_what_the_catalogue_says() {
    let path = demo_model();
    let model = std::fs::read(&path).unwrap();
    let name = path.file_name().unwrap().to_str().unwrap();
    let catalogue = catalogue();
    let entry = catalogue
        .iter()
        .find(|entry| entry["url"] == format!("models/{name}"))
        .expect("an entry for the demo");
    assert_eq!(entry["bytes"], model.len());
    let pieces: Vec<Value> = model.chunks(PIECE).map(|piece| hex(&Sha256::digest(piece)).into()).collect();
    assert_eq!(entry["pieces"], Value::Array(pieces));
}

#[test]
fn every_offer_says_what_a_person_wants_to_know() {
    for entry in catalogue() {
        for key in ["name", "description", "url", "licence", "licence_url"] {
            assert!(entry[key].as_str().is_some_and(|text| !text.is_empty()), "{key} is missing in {entry}");
        }
        let pieces = entry["pieces"].as_array().map_or(0, Vec::len) as u64;
        let bytes = entry["bytes"].as_u64().expect("a size");
        assert_eq!(pieces, bytes.div_ceil(PIECE as u64), "one hash for each piece of {entry}");
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
