//! `cargo xtask`: what cargo and trunk cannot say.
//!
//! `run` and `test` are the two commands of the README: from a fresh clone to the app, and to the verdict on it.
//! Each sets up what it needs, once, and says what it does. Nothing is downloaded but by the ordinary clients
//! of crates.io, npm, PyPI and Debian, in versions pinned here and in Cargo.lock.

#![allow(clippy::print_stdout, reason = "Talking to a person in a terminal is this program's work.")]

mod bench;
mod browser;
mod command;
mod converting;
mod demo;
mod dist;
mod llama_vocabulary;
mod native;
mod peers;
mod places;
mod pypi;
mod quantization;
mod real_size;
mod report;
mod run;
mod site;
mod system;
mod test;
mod tools;

use std::process::ExitCode;

use anyhow::{Result, bail};

const USAGE: &str = "\
cargo xtask run [--port N]
    Sets everything up, builds the app and serves it on http://localhost:8080.
cargo xtask test [lint | native | browser [SUITE ...] | swiftshader]
    Sets up what tests need and runs them: the first three, or one kind, or suites of tests/browser/suites. swiftshader
    runs the kernels' tests natively on Chromium's software adapter, too, where each takes seconds to compile.
cargo xtask dist [--public-url /path/] [--without-model]
    Leaves the static site in dist/.
cargo xtask bench [native | browser | real-size | quantization | converting-8b ...] [--peers [OPTIONS]]
    Measures speed and memory, prints a table, and writes target/bench.json: natively and in browsers, or what is named,
    all in one run. Only when asked for: models of the sizes of Llama 3.1 8B and 3.2 1B, which take 9 GB below target/ and
    a quarter of an hour on 2 cores; what quantizing loses beside gguf-py, which takes ten minutes; and the memory of
    converting 8B in floats, which takes 21 GB for a while.
    --peers [--rounds N] [--transformers-js FOLDER], behind the rest: Pronk on the CPU beside the newest wllama, in the
    same Chromium, in turns. transformers.js too, if FOLDER holds the scripts that make its weights: build_onnx.py and
    dynq8.py. Takes a quarter of an hour.
cargo xtask screenshots
    Takes pictures of the page, into target/screenshots.";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match act(&arguments.iter().map(String::as_str).collect::<Vec<_>>()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nerror: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn act(arguments: &[&str]) -> Result<()> {
    match arguments {
        ["run"] => run::run(run::DEFAULT_PORT),
        ["run", "--port", port] => run::run(port.parse()?),
        ["test"] => test::test(&test::Kind::ALL, &[]),
        ["test", "browser", suites @ ..] => test::test(&[test::Kind::Browser], suites),
        ["test", kind] => test::test(&[test::Kind::from_name(kind)?], &[]),
        ["dist", options @ ..] => dist::dist(&dist::Options::parse(options)?),
        ["bench", words @ ..] => bench::bench(&bench::Where::parse(words)?),
        ["screenshots"] => browser::screenshots(),
        [] | ["help" | "--help" | "-h"] => {
            println!("{USAGE}");
            Ok(())
        }
        _ => bail!("cargo xtask does not know `{}`.\n{USAGE}", arguments.join(" ")),
    }
}
