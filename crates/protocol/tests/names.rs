//! The names that stand in messages, both ways.

#![allow(clippy::unwrap_used, reason = "A test that cannot go on says so by panicking.")]

use std::fmt::Debug;

use protocol::{Device, Kv, LoadOptions, ModelSource, Quantize, Request};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{from_value, json, to_value};

#[track_caller]
fn check<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: T, name: &str) {
    assert_eq!(to_value(&value).unwrap(), json!(name), "{value:?}");
    assert_eq!(from_value::<T>(json!(name)).unwrap(), value, "{name}");
}

#[test]
fn of_what_weights_become() {
    check(Quantize::Automatic, "automatic");
    check(Quantize::Never, "never");
    check(Quantize::Q4, "q4");
    check(Quantize::Q4M, "q4m");
    check(Quantize::Q6, "q6");
    check(Quantize::Q8, "q8");
    check(Quantize::F16, "f16");
}

#[test]
fn of_keys_and_values() {
    Kv::ALL.into_iter().for_each(|kv| check(kv, kv.name()));
}

#[test]
fn a_load_says_only_what_was_chosen() {
    let automatic = LoadOptions::default();
    let rows = [
        (json!({}), automatic),
        (json!({"context": null}), automatic),
        (json!({"context": 512}), LoadOptions { context: Some(512), ..automatic }),
        (
            json!({"device": "cpu", "kv": "f32", "quantize": "q8"}),
            LoadOptions { device: Device::Cpu, context: None, kv: Kv::F32, quantize: Quantize::Q8 },
        ),
    ];
    for (said, expected) in rows {
        let load = json!({"load": {"source": {"file": {"name": "m.gguf"}}, "options": said}});
        let source = ModelSource::File { name: "m.gguf".to_owned() };
        let request = Request::Load { source, options: expected };
        assert_eq!(from_value::<Request>(load).unwrap(), request, "{said}");
        assert_eq!(from_value::<Request>(to_value(&request).unwrap()).unwrap(), request, "{said}");
    }
}

#[test]
fn a_load_may_leave_its_options_out() {
    let load = json!({"load": {"source": {"url": {"url": "m.gguf"}}}});
    let source = ModelSource::Url { url: "m.gguf".to_owned(), pieces: Vec::new() };
    assert_eq!(
        from_value::<Request>(load).unwrap(),
        Request::Load { source, options: LoadOptions::default() }
    );
}
