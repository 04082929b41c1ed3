//! Logits and greedy ids against Hugging Face's, on every device.

use serde_json::Value;

use crate::run::{MODEL, Scratch, fields, ids, list, pronk, pronk_reading};

pub(crate) const DEVICES: [&[&str]; 5] = [
    &["--kernels", "subgroups"],
    &["--kernels", "plain"],
    &["--kernels", "int8"],
    &["--device", "cpu"],
    &["--device", "reference"],
];

/// The largest error of a logit, in standard deviations of the logits: DESIGN.md's bound for f32 keys and values.
const MOST: f64 = 1e-3;

fn cases() -> Vec<Value> {
    let text = std::fs::read_to_string(MODEL.replace(".gguf", ".golden.json")).unwrap();
    let golden: Value = serde_json::from_str(&text).unwrap();
    golden["cases"].as_array().unwrap().clone()
}

pub(crate) fn floats(list: &Value) -> Vec<f64> {
    list.as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
}

#[track_caller]
pub(crate) fn assert_close(got: &[f64], expected: &[f64], what: &str) {
    assert_eq!(got.len(), expected.len(), "{what}");
    let mean = expected.iter().sum::<f64>() / expected.len() as f64;
    let variance = expected.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / expected.len() as f64;
    let bound = MOST * variance.sqrt();
    for (index, (got, expected)) in got.iter().zip(expected).enumerate() {
        assert!((got - expected).abs() <= bound, "{what}: logit {index}: got {got}, expected {expected}");
    }
}

#[test]
fn logits_are_right_on_every_device() {
    let cases: Vec<Value> = cases().into_iter().filter(|case| case["last_logits"].is_array()).collect();
    assert_eq!(cases.len(), 3);
    for case in &cases {
        let input = list(&ids(&case["input_ids"]));
        for device in DEVICES {
            let answer = pronk(&[&["logits", MODEL, "--ids", &input, "--json"], device].concat()).json();
            let what = format!("{} on {device:?}", case["name"]);
            assert_eq!(fields(&answer), ["logits", "argmax_per_position"], "{what}");
            assert_close(&floats(&answer["logits"]), &floats(&case["last_logits"]), &what);
            assert_eq!(ids(&answer["argmax_per_position"]), ids(&case["argmax_per_position"]), "{what}");
        }
    }
}

#[test]
fn greedy_ids_are_right_on_every_device() {
    let cases: Vec<Value> = cases().into_iter().filter(|case| case["greedy"].is_array()).collect();
    assert_eq!(cases.len(), 1);
    let expected = ids(&cases[0]["greedy"]);
    let input = list(&ids(&cases[0]["input_ids"]));
    let count = expected.len().to_string();
    for device in DEVICES {
        let arguments = ["generate", MODEL, "--ids", &input, "--max-tokens", &count, "--greedy", "--json"];
        let answer = pronk(&[&arguments, device].concat()).json();
        assert_eq!(fields(&answer), ["ids", "text"], "{device:?}");
        assert_eq!(ids(&answer["ids"]), expected, "{device:?}");
    }
}

/// A file, stdin and the command line are three ways to say the same, and f16 keys and values hardly change it.
#[test]
fn ids_come_from_anywhere() {
    let scratch = Scratch::new();
    let file = scratch.file("ids.json", "[16, 3,\n 200]");
    let expected = pronk(&["logits", MODEL, "--ids", " 16, 3 ,200", "--json"]).json();
    for answer in [
        pronk(&["logits", MODEL, "--ids-file", &file, "--json"]),
        pronk_reading("[16,3,200]", &["logits", MODEL, "--ids-file", "-", "--json", "--kv", "f32"]),
    ] {
        assert_eq!(answer.json(), expected);
    }
    let with =
        |kv| pronk(&["logits", MODEL, "--ids", "16,3,200", "--json", "--device", "gpu", "--kv", kv]).json();
    let (halves, floats) = (with("f16"), with("f32"));
    assert_ne!(halves["logits"], floats["logits"], "f16 was asked for");
    assert_eq!(halves["argmax_per_position"], expected["argmax_per_position"]);
}
