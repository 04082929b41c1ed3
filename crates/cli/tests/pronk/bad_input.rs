//! What can't be done: one sentence on stderr and exit code 1, or clap's usage and 2.

use crate::run::{MODEL, Scratch, pronk, pronk_reading};

#[test]
fn a_command_line_that_means_nothing() {
    let rows: [&[&str]; 14] = [
        &[],
        &["fly"],
        &["inspect"],
        &["inspect", MODEL, "--yaml"],
        &["generate", MODEL],
        &["generate", MODEL, "--prompt", "a", "--ids", "1"],
        &["generate", MODEL, "--ids", "1,x"],
        &["generate", MODEL, "--ids", "-1"],
        &["generate", MODEL, "--ids", "1", "--kernels", "fast"],
        &["generate", MODEL, "--ids", "1", "--device", "tpu"],
        &["generate", MODEL, "--ids", "1", "--max-tokens", "many"],
        &["generate", MODEL, "--ids", "1", "--context", "0"],
        &["logits", MODEL, "--json"],
        &["tokenize", MODEL],
    ];
    for arguments in rows {
        let ran = pronk(arguments);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{arguments:?}: {ran:?}");
        assert!(ran.stderr.contains("Usage:") || ran.stderr.contains("--help"), "{arguments:?}: {ran:?}");
    }
}

#[test]
fn a_question_that_the_model_cannot_take() {
    let rows: [(&[&str], &str); 9] = [
        (&["generate", MODEL, "--prompt", ""], "The prompt is empty"),
        (&["generate", MODEL, "--ids", ""], "The prompt is empty"),
        (&["logits", MODEL, "--ids", ""], "The prompt is empty"),
        (&["generate", MODEL, "--ids", "1,330"], "Token 330 does not exist; this model has tokens 0 to 329"),
        (&["logits", MODEL, "--ids", "4294967295"], "Token 4294967295 does not exist"),
        (&["generate", MODEL, "--ids", "1,2,3", "--context", "3"], "takes 3 tokens, but the context holds 3"),
        (&["generate", MODEL, "--ids", "1", "--context", "131073"], "at most 131072"),
        (&["generate", MODEL, "--messages", "/no/such/file"], "/no/such/file can't be read"),
        (&["logits", MODEL, "--ids-file", "/no/such/file"], "/no/such/file can't be read"),
    ];
    for (arguments, found) in rows {
        pronk(arguments).failed_with(found);
    }
}

#[test]
fn a_file_of_something_else() {
    let rows = [
        ("render", "--messages", "", "does not hold a JSON list of messages"),
        ("render", "--messages", "{}", "does not hold a JSON list of messages"),
        ("render", "--messages", "[{\"role\":\"poet\",\"content\":\"a\"}]", "poet"),
        ("render", "--messages", "[{\"role\":\"user\"}]", "content"),
        ("render", "--messages", "[]", "The conversation is empty"),
        ("logits", "--ids-file", "[1,2", "does not hold a JSON list of ids"),
        ("logits", "--ids-file", "[1.5]", "does not hold a JSON list of ids"),
        ("logits", "--ids-file", "[-1]", "does not hold a JSON list of ids"),
        ("logits", "--ids-file", "[]", "The prompt is empty"),
    ];
    for (command, option, stdin, found) in rows {
        pronk_reading(stdin, &[command, MODEL, option, "-"]).failed_with(found);
    }
}

#[test]
fn a_model_that_is_none() {
    let scratch = Scratch::new();
    let model = std::fs::read(MODEL).unwrap();
    let altered = |at: usize, bytes: &[u8]| {
        let mut altered = model.clone();
        altered[at..at + bytes.len()].copy_from_slice(bytes);
        altered
    };
    let architecture = model.windows(5).position(|window| window == b"llama").unwrap();
    let files = [
        ("empty", Vec::new(), "has only 0 bytes"),
        ("garbage", b"\x7fELF and more of that kind".repeat(100), "not a GGUF file: it starts with"),
        ("web-page", b"<!DOCTYPE html><title>Not found</title>".to_vec(), "expected"),
        ("short-header", model[..5000].to_vec(), "the file has only 5000 bytes"),
        ("short-data", model[..1_000_000].to_vec(), "the file has only 1000000 bytes"),
        ("version", altered(4, &9u32.to_le_bytes()), "expected 2 or 3, found 9"),
        ("tensors", altered(8, &u64::MAX.to_le_bytes()), "n_tensors"),
        ("keys", altered(16, &u64::MAX.to_le_bytes()), "n_kv"),
        ("key-length", altered(24, &u64::MAX.to_le_bytes()), "key 0"),
        ("architecture", altered(architecture, b"mamba"), "\"mamba\" is not supported"),
    ];
    for (name, bytes, found) in files {
        let path = scratch.file(name, bytes);
        pronk(&["inspect", &path]).failed_with(found);
        pronk(&["inspect", &path, "--json"]).failed_with(found);
        pronk(&["generate", &path, "--ids", "1", "--device", "reference"]).failed_with(found);
        pronk(&["tokenize", &path, "--text", "a"]).failed_with(found);
    }
    let folder = scratch.path().to_str().unwrap();
    pronk(&["inspect", folder]).failed_with("is no model: expected a GGUF file, or a folder");
    pronk(&["inspect", &format!("{folder}/none.gguf")]).failed_with("none.gguf can't be read");
}
