//! Whole conversions, in memory: what comes out, what survives an interruption, and what is refused.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "A test that cannot go on says so by panicking.")]

mod damage;
mod interrupted;
mod models;
#[path = "../../../format/tests/tiny_llama/mod.rs"]
mod tiny_llama;
mod values;

use std::collections::BTreeMap;

use convert::{ConvertError, MemoryOutput, Options, Output, Report, convert};
use format::{Checkpoint, Hash, Manifest, ManifestFiles, Quant, Tokenizer, TokenizerConfig, TokenizerFile};

use models::Model;

/// Not SHA-256, which is another crate's: four sums of 64 bits that depend on every byte and its place.
fn hash(bytes: &[u8]) -> Hash {
    let mut hash = [0; 32];
    for (seed, lane) in (1u64..).zip(hash.chunks_exact_mut(8)) {
        let mix =
            |sum: u64, byte: &u8| (sum ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(5);
        lane.copy_from_slice(&bytes.iter().fold(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15), mix).to_le_bytes());
    }
    hash
}

fn options(quant: Option<Quant>, shard_size: u64) -> Options {
    Options { quant, shard_size, source: "a test".to_owned(), licences: Vec::new(), hash }
}

/// Converts into a folder.
fn run(model: &Model, output: &MemoryOutput, options: &Options) -> Result<Report, ConvertError> {
    convert(&model.checkpoint, &model.source, output, options, &mut |_| {})
}

/// A new folder with a model in it.
#[track_caller]
fn converted(model: &Model, options: &Options) -> (MemoryOutput, Report) {
    let output = MemoryOutput::new();
    let report = run(model, &output, options).unwrap();
    (output, report)
}

/// A folder that was converted, read as the engine reads it.
#[track_caller]
fn open(output: &MemoryOutput) -> (Model, Manifest) {
    let mut files: BTreeMap<String, Vec<u8>> = output.files();
    let manifest = Manifest::parse(&files["manifest.json"], hash).unwrap();
    for file in &manifest.files {
        assert_eq!(hash(&files[&file.name]), file.sha256, "{}", file.name);
    }
    let weights = manifest.weights().map(|file| files[&file.name].clone()).collect();
    let tokenizer = match (files.remove("tokenizer.gguf"), files.remove("tokenizer.json")) {
        (Some(gguf), _) => TokenizerFile::Gguf(Tokenizer::from_gguf(&gguf).unwrap()),
        (None, Some(json)) => TokenizerFile::HuggingFace { json, config: TokenizerConfig::default() },
        (None, None) => TokenizerFile::Absent,
    };
    let checkpoint = Checkpoint::from_manifest(ManifestFiles {
        manifest: manifest.clone(),
        config: files.remove("config.json").unwrap(),
        generation_config: files.remove("generation_config.json"),
        tokenizer,
        tokenizer_config: files.remove("tokenizer_config.json"),
        chat_template: files.remove("chat_template.jinja"),
    });
    (Model { checkpoint: checkpoint.unwrap(), source: convert::MemorySource(weights) }, manifest)
}

#[test]
fn a_folder_of_someone_else_is_left_alone() {
    let model = models::tiny_hub();
    for (name, bytes) in [
        ("thesis.txt", b"years of work".as_slice()),
        ("manifest.json", b"{\"name\": \"an app\"}"),
        ("convert.journal", b"Dear diary"),
        (".hidden", b""),
    ] {
        let output = MemoryOutput::new().with(name, bytes);
        let before = output.files();
        let error = run(&model, &output, &options(None, 16 << 20)).unwrap_err();
        assert_eq!(error, ConvertError::NotOurs { name: name.to_owned() });
        assert_eq!(output.files(), before, "{name}");
    }
}

#[test]
fn licences_come_along_and_llama_is_named() {
    let mut options = options(None, 16 << 20);
    let model = models::tiny_hub();
    let (output, report) = converted(&model, &options);
    let line = "Llama 3.1 is licensed under the Llama 3.1 Community License, \
                Copyright © Meta Platforms, Inc. All Rights Reserved.\n";
    let notice = |output: &MemoryOutput| String::from_utf8(output.read("NOTICE").unwrap().unwrap()).unwrap();
    assert!(notice(&output).starts_with(line), "{}", notice(&output));
    assert!(notice(&output).contains("Built with Llama\n"));
    assert!(report.warnings[0].contains("No licence file"), "{:?}", report.warnings);

    let own = format!("Of its own.\n{line}");
    options.licences =
        vec![("LICENSE".into(), b"terms".to_vec()), ("NOTICE".into(), own.clone().into_bytes())];
    let (output, report) = converted(&model, &options);
    assert_eq!(output.read("LICENSE").unwrap().unwrap(), b"terms");
    assert!(notice(&output).starts_with(&format!("{own}Built with Llama\n")), "{}", notice(&output));
    assert_eq!((notice(&output).matches(line).count(), report.warnings.len()), (1, 0));
    assert!(open(&output).1.file("LICENSE").is_some(), "the manifest has it");

    let (output, _) = converted(&models::gguf("tiny-basic-quants"), &options);
    assert!(!notice(&output).contains("Built with Llama"), "{}", notice(&output));
}

#[test]
fn names_of_licence_files() {
    for (name, expected) in [
        ("LICENSE", true),
        ("LLAMA_3.1_LICENSE.txt", true),
        ("licence.md", true),
        ("USE_POLICY.md", true),
        ("NOTICE", true),
        ("COPYING", true),
        ("README.md", false),
        ("config.json", false),
        ("license.safetensors", false),
        ("LICENSE.part", false),
    ] {
        assert_eq!(convert::is_licence_file(name), expected, "{name}");
    }
}
