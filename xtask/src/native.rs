//! The checks that need no browser: format, clippy, and the tests of all crates on lavapipe.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use crate::command::{command, run, shown};
use crate::places::Places;
use crate::report::step;
use crate::test::Tally;
use crate::{demo, llama_vocabulary, system, tools};

/// The crates that only browsers run.
const WEB: [&str; 2] = ["ui", "worker"];

/// Format and clippy, the web crates for wasm32. Each counts as one test.
pub(crate) fn lint(places: &Places) -> Result<Tally> {
    tools::wasm_target()?;
    let mut tally = Tally::default();
    let format = ["fmt", "--all", "--check"];
    tally += check("Checking the format", cargo(places, &format));
    let native = ["clippy", "--all-targets", "--", "-D", "warnings"];
    tally += check("Checking with clippy", cargo(places, &native));
    let [ui, worker] = WEB;
    let web =
        ["clippy", "-p", ui, "-p", worker, "--target", "wasm32-unknown-unknown", "--", "-D", "warnings"];
    tally += check("Checking the web crates with clippy", cargo(places, &web));
    Ok(tally)
}

fn cargo(places: &Places, arguments: &[&str]) -> Command {
    let mut cargo = command("cargo", arguments);
    cargo.current_dir(&places.root);
    cargo
}

fn check(what: &str, mut command: Command) -> Tally {
    match step(what, || run(&mut command)) {
        Ok(()) => Tally { passed: 1, failed: 0 },
        Err(error) => {
            println!("    FAILED: {error:#}");
            Tally { passed: 0, failed: 1 }
        }
    }
}

/// All tests of all crates.
pub(crate) fn test(places: &Places) -> Result<Tally> {
    system::set_up()?;
    let model = demo::model(places)?;
    let mut tests = cargo(places, &["test", "--workspace", "--no-fail-fast"]);
    let vocabulary = llama_vocabulary::file(places)?;
    let tests_env = system::with_lavapipe(&mut tests)?;
    tests_env.env("PRONK_DEMO_MODEL", model).env("PRONK_LLAMA_TOKENIZER", vocabulary);
    step("Running the native tests", || counted(&mut tests))
}

/// Tests of what SwiftShader has not: arithmetic in halves.
const NOT_ON_SWIFTSHADER: [&str; 2] = ["multiplied_in_halves", "halves_neither_overflow"];

/// The kernels' tests on SwiftShader, which compiles them in another way, and has other subgroups than lavapipe.
pub(crate) fn test_kernels(places: &Places) -> Result<Tally> {
    system::set_up()?;
    let mut tests = cargo(places, &["test", "--package", "kernels", "--lib", "--"]);
    tests.args(NOT_ON_SWIFTSHADER.iter().flat_map(|name| ["--skip", name]));
    system::with_swiftshader(&mut tests)?;
    step("Running the kernels' tests on SwiftShader", || counted(&mut tests))
}

/// Runs a program that prints results in the manner of cargo's tests, passes on what it says, and adds it up.
pub(crate) fn counted(command: &mut Command) -> Result<Tally> {
    let what = shown(command);
    let mut child =
        command.stdout(Stdio::piped()).spawn().with_context(|| format!("`{what}` could not be started"))?;
    let mut tally = Tally::default();
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).lines() {
            let line = line?;
            println!("{line}");
            tally += Tally::from_line(&line);
        }
    }
    if !child.wait()?.success() && tally.failed == 0 {
        println!("    FAILED: `{what}` broke off.");
        tally.failed = 1;
    }
    Ok(tally)
}
