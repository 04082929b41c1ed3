//! The invariants of ARCHITECTURE.md that can be read off the sources. A failure names file and line.
//!
//! What clippy denies for all crates (`unwrap`, `expect`, `todo`) is not searched for again; that no crate
//! gets round it is.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "A test that cannot go on says so by panicking.")]

mod sources;

use sources::{Kind, Source, check_nowhere, packages, sources};

/// Of our crates, which may name which (DESIGN's table). `tests` may name any.
const OURS: [(&str, &[&str]); 15] = [
    ("protocol", &[]),
    ("format", &[]),
    ("convert", &["format"]),
    ("store", &["format"]),
    ("gpu", &[]),
    ("kernels", &["gpu", "format"]),
    ("llama", &["kernels", "gpu", "format"]),
    ("cpu", &["format"]),
    ("chat", &["protocol", "format"]),
    ("readers", &["chat", "format", "protocol", "store"]),
    ("engine", &["llama", "cpu", "chat", "store", "gpu", "format", "protocol"]),
    ("cli", &["engine", "convert", "chat", "store", "gpu", "llama", "cpu", "format", "protocol", "xtask"]),
    ("worker", &["engine", "store", "protocol", "chat", "gpu", "format"]),
    ("ui", &["protocol"]),
    ("xtask", &[]),
];

/// One dependency, one door: who alone may name it.
const DOORS: [(&str, &[&str]); 19] = [
    ("wgpu", &["gpu"]),
    ("bytemuck", &["gpu", "kernels", "cpu"]),
    ("wide", &["cpu"]),
    ("safetensors", &["convert"]),
    ("rayon", &["convert"]),
    ("sha2", &["store", "xtask"]),
    ("tokenizers", &["chat"]),
    ("regex-automata", &["chat"]),
    ("minijinja", &["chat"]),
    ("minijinja-contrib", &["chat"]),
    ("clap", &["cli"]),
    ("indicatif", &["cli"]),
    ("ureq", &["cli"]),
    ("anyhow", &["cli", "xtask"]),
    ("yew", &["ui"]),
    ("idb", &["worker"]),
    ("web-sys", &["ui", "worker", "sdk"]),
    ("js-sys", &["ui", "worker", "sdk"]),
    ("wasm-bindgen", &["ui", "worker", "sdk"]),
];

/// How pieces of WGSL begin that several operations put before their own; they are no operation.
const SHARED_WGSL: [&str; 7] = ["reduce.", "tile", "turn.", "best.", "quants_", "scales_", "halves_"];

/// Files may be this long, the tests at their end left out; files that are rows of tests, twice that.
const MAX_LINES: usize = 300;

/// Files that may be longer, each with its reason.
const LONG_FILES: [&str; 0] = [];

/// Functions may be this long; longer ones are straight-line work in a fixed order.
const MAX_FUNCTION_LINES: usize = 130;

#[test]
fn crates_name_only_those_below_them() {
    let packages = packages();
    let ours: Vec<&str> = packages.iter().map(|package| package.name.as_str()).collect();
    for package in packages.iter().filter(|package| package.name != "system-tests") {
        let allowed = OURS.iter().find(|(name, _)| *name == package.name).map(|(_, allowed)| *allowed);
        let allowed =
            allowed.unwrap_or_else(|| panic!("{} has no row in OURS and in DESIGN's table", package.name));
        for dependency in package.dependencies.iter().filter(|dependency| ours.contains(&dependency.as_str()))
        {
            assert!(
                allowed.contains(&dependency.as_str()),
                "{} must not depend on {dependency}",
                package.name
            );
        }
    }
}

#[test]
fn each_outside_thing_has_one_door() {
    for package in packages().iter().filter(|package| package.name != "system-tests") {
        for (dependency, doors) in DOORS {
            let named = package.dependencies.iter().any(|name| name == dependency);
            let allowed = doors.contains(&package.name.as_str());
            assert!(!named || allowed, "{} must not depend on {dependency}; {doors:?} may", package.name);
        }
    }
}

#[test]
fn only_gpu_names_wgpu() {
    check_nowhere(&["wgpu::", "use wgpu", "extern crate wgpu"], &[], |source| {
        source.kind == Kind::Rust && !source.is_below("crates/gpu")
    });
}

#[test]
fn only_web_names_browsers() {
    check_nowhere(&["web_sys", "js_sys", "wasm_bindgen::", "#[wasm_bindgen", "gloo_"], &[], |source| {
        source.kind == Kind::Rust && !source.is_below("web")
    });
}

#[test]
fn tensor_names_stay_in_format_and_llama_weights() {
    let names = [
        "\"blk.",
        "token_embd",
        "output_norm",
        "attn_norm",
        "ffn_gate",
        "model.layers.",
        "embed_tokens.weight",
    ];
    let allowed = ["crates/format", "crates/convert", "crates/llama/src/weights"];
    check_nowhere(&names, &allowed, |source| source.kind == Kind::Rust);
}

#[test]
fn control_tokens_stay_in_chat() {
    let tokens = [
        "<|im_start|>",
        "<|im_end|>",
        "<|eot_id|>",
        "<|begin_of_text|>",
        "<|start_header_id|>",
        "<|eom_id|>",
    ];
    check_nowhere(&tokens, &["crates/chat"], |source| source.kind == Kind::Rust);
}

#[test]
fn nothing_becomes_html() {
    let ways = [
        "inner_html",
        "innerHTML",
        "outerHTML =",
        "from_html_unchecked",
        "insert_adjacent_html",
        "document.write",
    ];
    check_nowhere(&ways, &[], |source| source.is_below("web"));
}

#[test]
fn parsers_forbid_unsafe_code() {
    for name in ["format", "store", "chat", "protocol", "readers"] {
        let path = format!("crates/{name}/src/lib.rs");
        let source =
            sources().into_iter().find(|source| source.path == path).expect("a library has a lib.rs");
        assert!(
            source.text.contains("#![forbid(unsafe_code)]"),
            "{path} does not say #![forbid(unsafe_code)]"
        );
    }
}

#[test]
fn no_crate_gets_round_the_lints() {
    for package in packages() {
        let manifest = std::fs::read_to_string(&package.manifest).expect("cargo has just read it");
        assert!(
            manifest.contains("[lints]\nworkspace = true"),
            "{} does not take the workspace's lints",
            package.name
        );
    }
    let lints = ["clippy::unwrap_used", "clippy::expect_used", "clippy::todo", "clippy::unimplemented"];
    check_nowhere(&lints, &[], |source| source.kind == Kind::Rust);
}

#[test]
fn no_test_is_left_out() {
    check_nowhere(&["#[ignore"], &["tests/tests/invariants.rs"], |source| source.kind == Kind::Rust);
}

#[test]
fn every_operation_has_its_shader_and_every_shader_its_operation() {
    let sources = sources();
    let in_kernels =
        |kind| sources.iter().filter(move |s| s.kind == kind && s.is_below("crates/kernels/src"));
    let rust: Vec<&str> = in_kernels(Kind::Rust).filter_map(|source| source.stem()).collect();
    let mut shaders = in_kernels(Kind::Wgsl).peekable();
    assert!(shaders.peek().is_some(), "crates/kernels/src has no shader");
    let is_shared = |shader: &&Source| {
        SHARED_WGSL
            .iter()
            .any(|start| shader.path.rsplit('/').next().is_some_and(|name| name.starts_with(start)))
    };
    for shader in shaders.filter(|shader| !is_shared(shader)) {
        let stem = shader.stem().expect("the file has a name");
        // `matvec_plain.wgsl` is a variant of `matvec.rs`.
        let has_operation = rust.iter().any(|name| stem == *name || stem.starts_with(&format!("{name}_")));
        assert!(
            has_operation,
            "{} has no .rs of its name; if several operations share it, list it here",
            shader.path
        );
    }
}

#[test]
fn files_stay_short() {
    let sources = sources();
    let list: Vec<String> = sources
        .iter()
        .filter(|source| matches!(source.kind, Kind::Rust | Kind::Wgsl | Kind::Script))
        .filter(|source| !LONG_FILES.contains(&source.path.as_str()))
        .filter(|source| source.lines() > if source.is_test() { 2 * MAX_LINES } else { MAX_LINES })
        .map(|source| format!("{}: {} lines", source.path, source.lines()))
        .collect();
    assert!(list.is_empty(), "files that are too long:\n{}", list.join("\n"));
}

#[test]
fn functions_stay_short() {
    let sources = sources();
    let functions = sources.iter().filter(|source| source.kind == Kind::Rust).flat_map(Source::functions);
    let list: Vec<String> = functions
        .filter(|f| f.lines > MAX_FUNCTION_LINES)
        .map(|f| format!("{}: {} lines", f.place, f.lines))
        .collect();
    assert!(list.is_empty(), "functions of more than {MAX_FUNCTION_LINES} lines:\n{}", list.join("\n"));
}

#[test]
fn no_path_of_a_machine_and_no_registry_is_named() {
    // In two halves, so that this line does not find itself.
    let words = [
        concat!("/root", "/"),
        concat!("/home", "/"),
        concat!("registry.", "npmjs"),
        concat!("index.", "crates.io"),
    ];
    for source in sources() {
        for (index, line) in source.text.lines().enumerate() {
            let found = words.iter().find(|word| line.contains(*word));
            assert!(found.is_none(), "{}:{} names {}: {line}", source.path, index + 1, found.unwrap_or(&""));
        }
    }
}
