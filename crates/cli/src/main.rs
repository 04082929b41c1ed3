//! `pronk`: the same engine as in the page, from a terminal.
//!
//! ```text
//! args -> source (file, HTTP, disk cache) -> engine -> commands -> output
//! ```
//!
//! Results go to stdout, as text or as one line of JSON, and everything else to stderr. What fails ends with one
//! sentence and exit code 1; a command line that can't be understood ends with clap's exit code, 2.

mod args;
mod byte_size;
mod commands;
mod disk_output;
mod ids;
mod interrupt;
mod location;
mod memory;
mod output;
mod progress;
mod source;

use std::process::ExitCode;

use clap::Parser;

use crate::args::Cli;
use crate::output::{reader_has_left, tell};

/// Rust's own exit code for a panic, without its backtrace or a core dump.
const PANICKED: i32 = 101;

fn main() -> ExitCode {
    #[cfg(target_os = "linux")]
    quiet_wayland();
    std::panic::set_hook(Box::new(|panic| {
        let panic = panic.to_string().replace('\n', " ");
        tell(&format!("pronk: This is a mistake in pronk, not yours; please report it: {panic}."));
        std::process::exit(PANICKED);
    }));
    match commands::run(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if reader_has_left(&error) => ExitCode::SUCCESS,
        Err(error) => {
            tell(&format!("pronk: {}", output::sentence(&error)));
            ExitCode::FAILURE
        }
    }
}

/// Mesa's Vulkan layer asks Wayland for its device, and Wayland's library then complains on stderr, twice, wherever
/// no desktop session runs. With a folder that has no socket in it, and that only root could put one into, it is quiet.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "the environment can't be changed otherwise")]
fn quiet_wayland() {
    if std::env::var_os("XDG_RUNTIME_DIR").is_none() {
        // SAFETY: this is the first thing that `main` does, so no other thread reads the environment meanwhile.
        unsafe { std::env::set_var("XDG_RUNTIME_DIR", "/") };
    }
}
