//! `convert` and `verify`, and the folders that come of them, as every other command reads them.

use std::path::Path;

use serde_json::Value;

use crate::run::{MODEL, Ran, Scratch, fields, pronk};

const MIXED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/gguf/tiny-mixed-quants.gguf");
const HUB: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/tiny-llama-3.1");
const IDS: &str = "16,3,200,7,11";

fn logits(model: &str, device: &[&str]) -> Ran {
    pronk(&[&["logits", model, "--ids", IDS, "--json"], device].concat())
}

fn floats(ran: &Ran) -> Vec<f64> {
    ran.json()["logits"].as_array().unwrap().iter().map(|logit| logit.as_f64().unwrap()).collect()
}

/// Converts, and gives the folder and what was printed. A Llama without its licence is remarked upon.
#[track_caller]
pub(crate) fn convert(scratch: &Scratch, source: &str, options: &[&str]) -> (String, Value) {
    let name = format!("out-{}", std::fs::read_dir(scratch.path()).unwrap().count());
    let out = scratch.path().join(name).to_str().unwrap().to_owned();
    let ran = pronk(&[&["convert", source, &out, "--json"], options].concat());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let report = serde_json::from_str(&ran.stdout).unwrap();
    (out, report)
}

#[test]
fn without_quant_the_logits_are_the_same_to_the_bit() {
    let scratch = Scratch::new();
    for source in [MODEL, MIXED, HUB] {
        for shards in ["16MiB", "300KB"] {
            let (out, report) = convert(&scratch, source, &["--shard-size", shards]);
            assert!(report["tensors"].as_array().unwrap().iter().all(|tensor| tensor["loss"].is_null()));
            for device in [["--device", "reference"], ["--kernels", "plain"], ["--kernels", "subgroups"]] {
                let expected = logits(source, &device);
                assert_eq!(logits(&out, &device).text(), expected.text(), "{source} on {device:?}");
            }
        }
    }
}

/// The largest error in standard deviations of the logits: noise of random weights, of which 4 bits lose a tenth.
#[test]
fn with_quant_the_logits_are_near() {
    let scratch = Scratch::new();
    let expected = floats(&logits(HUB, &["--device", "reference"]));
    let mean = expected.iter().sum::<f64>() / expected.len() as f64;
    let deviation = (expected.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / expected.len() as f64).sqrt();
    for (quant, bits, [least, most]) in [
        ("q4", 4.5..6.5, [0.01, 1.0]),
        ("q4m", 5.0..7.0, [0.01, 1.0]),
        ("q6", 8.0..8.7, [0.001, 0.1]),
        ("q8", 8.0..8.7, [0.001, 0.1]),
        ("f16", 16.0..16.1, [0.0, 0.002]),
    ] {
        let (out, report) = convert(&scratch, HUB, &["--quant", quant]);
        let found = report["bits_per_weight"].as_f64().unwrap();
        assert!(bits.contains(&found), "{quant}: {found} bits");
        let got = floats(&logits(&out, &["--device", "reference"]));
        let error = got.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max) / deviation;
        assert!((least..=most).contains(&error), "{quant}: error {error}");
    }
}

#[test]
fn text_goes_in_and_out_as_before() {
    let scratch = Scratch::new();
    let (out, _) = convert(&scratch, MODEL, &[]);
    let messages = scratch.file("messages.json", "[{\"role\": \"user\", \"content\": \"a<|eot_id|>\"}]");
    for arguments in [
        ["tokenize", "--text", "Hello <|eot_id|> 日本", "--json"],
        ["render", "--messages", &messages, "--json"],
        ["tokenize", "--text", "a<|eot_id|>", "--parse-special"],
    ] {
        let [command, rest @ ..] = arguments;
        let ask = |model: &str| pronk(&[&[command, model], rest.as_slice()].concat()).text().to_owned();
        assert_eq!(ask(&out), ask(MODEL), "{arguments:?}");
    }
    let inspected = pronk(&["inspect", &out, "--json"]).json();
    assert_eq!(inspected["name"], "tiny mixed quants");
    assert!(pronk(&["inspect", &out]).text().contains("a folder of Pronk’s"));
    // A file of the folder stands for it.
    assert_eq!(
        pronk(&["inspect", &format!("{out}/manifest.json"), "--json"]).json()["name"],
        inspected["name"]
    );
}

#[test]
fn what_is_printed() {
    let scratch = Scratch::new();
    let (out, report) = convert(&scratch, HUB, &["--quant", "q4"]);
    assert_eq!(
        fields(&report),
        [
            "bytes",
            "files",
            "shards",
            "kept_shards",
            "bits_per_weight",
            "seconds",
            "converting_bytes_per_second",
            "copying_bytes_per_second",
            "peak_memory_bytes",
            "tensors"
        ]
    );
    // Again: everything is there already.
    let again = pronk(&["convert", HUB, &out, "--quant", "q4"]);
    assert!(again.stdout.contains("kept         1 shards of an earlier run"), "{again:?}");
    assert!(again.stderr.starts_with("pronk: No licence file lies beside this Llama model."), "{again:?}");
    let verified = pronk(&["verify", &out]);
    assert!(verified.text().ends_with("4 files of 655.31 kB are as manifest.json says\n"), "{verified:?}");
    assert_eq!(fields(&pronk(&["verify", &out, "--json"]).json()), ["files", "bytes", "manifest"]);
}

/// Licences that lie beside a source come along, and are missed when they are gone.
#[test]
fn licences_are_not_dropped() {
    let scratch = Scratch::new();
    let source = scratch.path().join("tiny-llama-3.1");
    std::fs::create_dir(&source).unwrap();
    for entry in std::fs::read_dir(HUB).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), source.join(entry.file_name())).unwrap();
    }
    for name in ["LICENSE.txt", "USE_POLICY.md"] {
        std::fs::write(source.join(name), format!("the text of {name}")).unwrap();
    }
    let (out, _) = convert(&scratch, source.to_str().unwrap(), &[]);
    for name in ["LICENSE.txt", "USE_POLICY.md", "NOTICE"] {
        let path = Path::new(&out).join(name);
        let text = std::fs::read(&path).unwrap();
        assert!(name == "NOTICE" || text == format!("the text of {name}").as_bytes(), "{name}");
        std::fs::remove_file(&path).unwrap();
        pronk(&["verify", &out])
            .failed_with(&format!("1 of 6 files are not what they were: {name} is missing"));
        std::fs::write(&path, text).unwrap();
    }
    pronk(&["verify", &out]).text();
    // One that can't be copied is no reason to go on without it.
    std::fs::write(source.join("LICENSE.txt"), vec![b'x'; (1 << 20) + 1]).unwrap();
    let other = scratch.path().join("other").to_str().unwrap().to_owned();
    pronk(&["convert", source.to_str().unwrap(), &other]).failed_with("LICENSE.txt");
}

/// A changed byte is found by `verify`, and keeps the model from being loaded.
#[test]
fn damage_is_found_and_refused() {
    let scratch = Scratch::new();
    let (out, _) = convert(&scratch, MODEL, &["--shard-size", "1MB"]);
    for entry in std::fs::read_dir(&out).unwrap() {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name())).unwrap();
        let whole = std::fs::read(&path).unwrap();
        for at in [0, whole.len() / 2, whole.len() - 1] {
            let mut changed = whole.clone();
            changed[at] ^= 4;
            std::fs::write(&path, changed).unwrap();
            let verified = pronk(&["verify", &out]);
            assert_eq!((verified.code, verified.stdout.as_str()), (Some(1), ""), "byte {at} of {name:?}");
            let loaded = logits(&out, &["--device", "reference"]);
            // The notice is nothing that a load reads.
            assert_eq!(
                loaded.code,
                Some(if name == "NOTICE" { 0 } else { 1 }),
                "byte {at} of {name:?}: {loaded:?}"
            );
        }
        std::fs::write(&path, whole).unwrap();
    }
    assert_eq!(logits(&out, &["--device", "reference"]).code, Some(0));
}

#[test]
fn what_cannot_be_converted() {
    let scratch = Scratch::new();
    let out = scratch.path().join("out").to_str().unwrap().to_owned();
    let theirs = scratch.path().join("theirs");
    std::fs::create_dir(&theirs).unwrap();
    std::fs::write(theirs.join("thesis.txt"), "years of work").unwrap();
    let theirs = theirs.to_str().unwrap();
    let file = scratch.file("file", "a file");
    for (arguments, found) in [
        (vec!["convert", "/no/such/model.gguf", &out], "/no/such/model.gguf can't be read"),
        (vec!["convert", theirs, &out], "is no model"),
        (vec!["convert", MODEL, theirs], "has thesis.txt in it, which pronk did not write"),
        (vec!["convert", HUB, HUB], "is the source's own"),
        (vec!["convert", MODEL, &file], "The output folder can't be written"),
        (vec!["convert", MODEL, &out, "--shard-size", "1KB"], "Shards of 1000 bytes are too small"),
        (
            vec!["synthesize", theirs, "--like", "llama-3.2-1b"],
            "has thesis.txt in it, which pronk did not write",
        ),
        (vec!["synthesize", &out, "--like", "llama-3.1-8b", "--shard-size", "1KB"], "are too small"),
        (
            vec!["synthesize", theirs, "--like", "llama-3.2-1b", "--hub"],
            "has thesis.txt in it, which pronk did not write",
        ),
        (vec!["verify", theirs], "has no manifest.json"),
        (vec!["verify", "/no/such/folder"], "has no manifest.json"),
    ] {
        pronk(&arguments).failed_with(found);
    }
    assert!(!Path::new(&out).exists(), "nothing was begun");
    assert_eq!(std::fs::read_to_string(format!("{theirs}/thesis.txt")).unwrap(), "years of work");
    for arguments in [
        vec!["convert"],
        vec!["convert", MODEL],
        vec!["convert", MODEL, &out, "--quant", "q5"],
        vec!["convert", MODEL, &out, "--shard-size", "many"],
        vec!["synthesize", &out],
        vec!["synthesize", "--like", "llama-3.2-1b"],
        vec!["synthesize", &out, "--like", "llama-3.2-1b", "--hub", "--quant", "q4"],
        vec!["synthesize", &out, "--like", "llama-3.2-1b", "--hub", "--shard-size", "1GB"],
        vec!["synthesize", &out, "--like", "llama-3.2-1b", "--seed", "-1"],
        vec!["verify"],
    ] {
        assert_eq!(pronk(&arguments).code, Some(2), "{arguments:?}");
    }
    let unknown = pronk(&["synthesize", &out, "--like", "llama-4"]);
    let known = "[possible values: llama-3.1-8b, llama-3.2-1b, llama-3.2-3b]";
    assert!(unknown.code == Some(2) && unknown.stderr.contains(known), "{unknown:?}");
}
