//! The built `pronk`, as a person or a script calls it: what it prints, where, and how it ends.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests may panic")]

mod bad_input;
mod commands;
mod convert;
#[expect(dead_code, reason = "these tests need sound files only")]
#[path = "../../../format/tests/files/writer.rs"]
mod gguf_writer;
mod golden;
mod http;
#[expect(dead_code, reason = "as above")]
#[path = "../../../format/tests/hub/writer.rs"]
mod hub_writer;
mod kinds;
#[path = "../../../format/tests/same_rows/containers.rs"]
mod plain_writers;
#[expect(dead_code, reason = "as above")]
#[path = "../../../format/tests/pth/writer.rs"]
mod pth_writer;
mod run;
mod server;
#[path = "../../../format/tests/tiny_llama/mod.rs"]
mod tiny_llama;
#[path = "../../../format/tests/tiny_llama/weights.rs"]
mod weights;
