//! What stands in `config.json`, row by row.

use format::{Checkpoint, RopeScaling};
use serde_json::{Value, json};

use crate::writer::Folder;

/// Sets fields of a healthy config, and says what is read of RoPE or why it is refused.
#[track_caller]
fn rope(fields: Value) -> Result<(f64, Option<RopeScaling>), String> {
    let mut folder = Folder::tiny();
    folder.config.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let checkpoint = Checkpoint::from_hub(folder.files().0).map_err(|error| error.to_string())?;
    Ok((checkpoint.config.rope_theta, checkpoint.config.rope_scaling))
}

fn llama3(factor: f64) -> Value {
    json!({
        "rope_type": "llama3", "factor": factor, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192,
    })
}

#[test]
fn rope_as_each_version_of_transformers_writes_it() {
    let scaled = |factor| Some(RopeScaling { factor, ..RopeScaling::LLAMA_3_1 });
    let mut old = llama3(8.0);
    old["type"] = old["rope_type"].take();
    let mut new = llama3(32.0);
    new["rope_theta"] = json!(500_000.0);
    let rows = [
        (json!({}), (10_000.0, None)),
        (json!({"rope_theta": 500_000}), (500_000.0, None)),
        (json!({"rope_theta": 5e5, "rope_scaling": llama3(8.0)}), (5e5, scaled(8.0))),
        (json!({"rope_theta": 5e5, "rope_scaling": old}), (5e5, scaled(8.0))),
        (json!({"rope_theta": 1.0, "rope_parameters": new}), (5e5, scaled(32.0))),
        (json!({"rope_parameters": {"rope_theta": 7e4, "rope_type": "default"}}), (7e4, None)),
        (
            json!({"rope_theta": 5e5, "rope_scaling": llama3(8.0), "rope_parameters": llama3(8.0)}),
            (5e5, scaled(8.0)),
        ),
        (json!({"rope_scaling": {"type": "linear", "factor": 1.0}}), (10_000.0, None)),
        (json!({"rope_scaling": {"type": "none"}}), (10_000.0, None)),
        (json!({"rope_scaling": {}}), (10_000.0, None)),
    ];
    for (fields, expected) in rows {
        assert_eq!(rope(fields.clone()), Ok(expected), "{fields}");
    }
}

#[test]
fn rope_that_is_not_run() {
    let without = |key: &str| {
        let mut scaling = llama3(8.0);
        scaling.as_object_mut().unwrap().remove(key);
        json!({ "rope_scaling": scaling })
    };
    let rows = [
        // As one early copy of Llama 3.1 has it.
        (
            json!({"rope_scaling": {"factor": 8.0, "type": "dynamic"}}),
            "RoPE scaling \"dynamic\" is not supported; Pronk runs models without scaling and those with Llama 3's (\"llama3\").",
        ),
        (
            json!({"rope_scaling": {"rope_type": "yarn", "factor": 1.0}}),
            "RoPE scaling \"yarn\" is not supported",
        ),
        (
            json!({"rope_scaling": {"rope_type": "linear", "factor": 4.0}}),
            "RoPE scaling \"linear\" by 4 is not supported",
        ),
        (json!({"rope_scaling": {"factor": 2}}), "RoPE scaling by 2 of no named type is not supported"),
        (json!({"rope_scaling": {"rope_type": "longrope\u{202e}"}}), "RoPE scaling \"longrope\\u{202e}\" is"),
        (
            json!({"rope_scaling": "llama3"}),
            "config.json: rope_scaling: expected an object, found \"llama3\".",
        ),
        (
            json!({"rope_scaling": {"rope_type": 3}}),
            "config.json: rope_scaling.rope_type: expected a string, found 3.",
        ),
        (without("factor"), "config.json: rope_scaling.factor is missing."),
        (without("low_freq_factor"), "config.json: rope_scaling.low_freq_factor is missing."),
        (
            without("original_max_position_embeddings"),
            "config.json: rope_scaling.original_max_position_embeddings is missing.",
        ),
        (
            json!({"rope_scaling": llama3(0.0)}),
            "model config: rope_scaling.factor: expected 1 to 10^6, found 0.",
        ),
        (
            json!({"rope_scaling": llama3(8.0), "rope_parameters": llama3(32.0)}),
            "config.json: rope_parameters: expected the same as in rope_scaling, found another scaling.",
        ),
        (json!({"rope_theta": "500000"}), "config.json: rope_theta: expected a number, found \"500000\"."),
        (json!({"rope_theta": -1}), "model config: rope_theta: expected 1 to 10^12, found -1."),
    ];
    for (fields, expected) in rows {
        let error = rope(fields).unwrap_err();
        assert!(error.contains(expected), "\n     got: {error}\nexpected: {expected}");
    }
}
