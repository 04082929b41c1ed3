//! The built `pronk`, as a person or a script calls it: what it prints, where, and how it ends.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests may panic")]

mod bad_input;
mod commands;
mod convert;
mod golden;
mod http;
mod run;
mod server;
