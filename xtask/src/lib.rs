//! The part of `cargo xtask` that others start too: the file server of the app and of its tests.

pub mod serve;
