//! bitsandbytes' NF4, plain and double-quantized, against its table.

use std::collections::HashMap;

use format::{Checkpoint, GgmlType, TensorName};
use serde_json::{Value, json};

use crate::golden::golden;
use crate::packed::{in_order, layers};
use crate::packers::{random, tensor};
use crate::writer::*;
use crate::{read, weights};

fn table() -> Vec<f32> {
    let golden = golden("nf4.json");
    golden["nf4_table"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap() as f32).collect()
}

#[derive(Clone, Copy, PartialEq)]
enum Absmax {
    Plain,
    Nested,
}

/// A layer's tensors and its weights, `[rows][columns]`.
fn pack(stem: &str, rows: usize, columns: usize, absmax: Absmax, seed: u64) -> (Vec<Tensor>, Vec<f32>) {
    let (mut state, table) = (seed, table());
    // The first of each block is its largest: 15 stands for 1.
    let code = |i: usize, random: usize| if i.is_multiple_of(64) { 15 } else { random % 16 };
    let codes: Vec<usize> = (0..rows * columns).map(|i| code(i, random(&mut state))).collect();
    let packed = codes.chunks(2).map(|pair| (pair[0] << 4 | pair[1]) as u8).collect();
    let blocks = codes.len() / 64;
    let le = |values: &[f32]| values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();
    let floats = |name: &str, values: &[f32]| tensor(stem, name, "F32", &[values.len()], le(values));
    let mut state_json = json!({
        "quant_type": "nf4", "blocksize": 64, "dtype": "bfloat16", "shape": [rows, columns],
    });
    let mut tensors =
        vec![tensor(stem, "weight", "U8", &[codes.len() / 2, 1], packed), floats("weight.quant_map", &table)];
    let absmax: Vec<f32> = match absmax {
        Absmax::Plain => {
            let absmax: Vec<f32> =
                (0..blocks).map(|_| (64 + random(&mut state) % 1000) as f32 / 8192.0).collect();
            tensors.push(floats("weight.absmax", &absmax));
            absmax
        }
        Absmax::Nested => {
            let codes: Vec<u8> = (0..blocks).map(|_| (random(&mut state) % 256) as u8).collect();
            let map: Vec<f32> = (0..256).map(|code| (code as f32 - 128.0) / 128.0).collect();
            let nested: Vec<f32> = (0..blocks.div_ceil(256)).map(|i| 0.01 + 0.01 * i as f32).collect();
            let value = |(i, code): (usize, &u8)| map[usize::from(*code)] * nested[i / 256] + 0.0625;
            let absmax = codes.iter().enumerate().map(value).collect();
            tensors.push(floats("weight.nested_absmax", &nested));
            tensors.push(floats("weight.nested_quant_map", &map));
            tensors.push(tensor(stem, "weight.absmax", "U8", &[blocks], codes));
            state_json["nested_blocksize"] = json!(256);
            state_json["nested_offset"] = json!(0.0625);
            absmax
        }
    };
    let text = state_json.to_string().into_bytes();
    tensors.push(tensor(stem, "weight.quant_state.bitsandbytes__nf4", "U8", &[text.len()], text));
    let values = codes.iter().enumerate().map(|(i, code)| table[*code] * absmax[i / 64]);
    (tensors, values.collect())
}

fn folder(absmax: Absmax) -> (Folder, HashMap<TensorName, Vec<f32>>) {
    let mut folder = Folder::tiny();
    folder.config["quantization_config"] =
        json!({"quant_method": "bitsandbytes", "load_in_4bit": true, "bnb_4bit_quant_type": "nf4"});
    let mut expected = HashMap::new();
    for (seed, (part, rows, columns)) in layers().into_iter().enumerate() {
        let name = TensorName::Layer { index: 0, part };
        folder.remove(&name.to_string());
        let stem = name.to_string().trim_end_matches(".weight").to_owned();
        let (tensors, values) = pack(&stem, rows, columns, absmax, seed as u64);
        folder.tensors.extend(tensors);
        expected.insert(name, in_order(part, values, columns));
    }
    (folder, expected)
}

/// The figures that `packed::nf4` claims for eight bits: 0.33 % of the weights' root mean square in all, and no weight
/// off by more than 0.43 % of the largest in its block of 64.
#[test]
fn eight_bits_hold_them() {
    for absmax in [Absmax::Plain, Absmax::Nested] {
        let (folder, expected) = folder(absmax);
        let (files, weights_files) = folder.files();
        let checkpoint = Checkpoint::from_hub(files).unwrap();
        let got = weights(&checkpoint, &weights_files, 5000);
        for (name, expected) in &expected {
            assert_eq!(checkpoint.tensor(*name).unwrap().dtype, GgmlType::Q8_0);
            assert_eq!(got[name].len(), expected.len());
            for (block, (got, expected)) in got[name].chunks(64).zip(expected.chunks(64)).enumerate() {
                let largest = expected.iter().fold(0f32, |largest, value| largest.max(value.abs()));
                for (i, (got, expected)) in got.iter().zip(expected).enumerate() {
                    let error = (got - expected).abs();
                    assert!(
                        error <= 0.0043 * largest,
                        "{name}[{block}][{i}]: got {got}, expected {expected}"
                    );
                }
            }
            let square =
                |values: &mut dyn Iterator<Item = f32>| values.map(|v| f64::from(v).powi(2)).sum::<f64>();
            let error = square(&mut got[name].iter().zip(expected).map(|(got, expected)| got - expected));
            let relative = (error / square(&mut expected.iter().copied())).sqrt();
            assert!((0.0030..0.0036).contains(&relative), "{name}: off by {relative}");
        }
    }
}

const Q_PROJ: &str = "model.layers.0.self_attn.q_proj.weight";

#[track_caller]
fn refuse(absmax: Absmax, expected: &str, damage: impl FnOnce(&mut Folder)) {
    let (mut folder, _) = folder(absmax);
    damage(&mut folder);
    let (files, weights_files) = folder.files();
    let error = Checkpoint::from_hub(files).and_then(|checkpoint| read(&checkpoint, &weights_files, 1 << 20));
    let Err(error) = error.map_err(|error| error.to_string()) else {
        panic!("no error, expected: {expected}")
    };
    assert!(error.contains(expected), "\n     got: {error}\nexpected: {expected}");
}

/// Sets a field of the quant_state.
fn state(folder: &mut Folder, key: &str, value: Value) {
    let tensor = folder.tensor(&format!("{Q_PROJ}.quant_state.bitsandbytes__nf4"));
    let mut state: Value = serde_json::from_slice(&tensor.bytes).unwrap();
    state[key] = value;
    tensor.bytes = state.to_string().into_bytes();
    tensor.shape = vec![tensor.bytes.len()];
}

#[test]
fn what_does_not_fit() {
    use Absmax::*;
    refuse(Plain, "quant_state: quant_type: expected \"nf4\", found \"fp4\".", |folder| {
        state(folder, "quant_type", json!("fp4"));
    });
    refuse(
        Plain,
        "quant_state: shape: expected [192, 192] of model.layers.0.self_attn.q_proj.weight, found [192, 191].",
        |folder| {
            state(folder, "shape", json!([192, 191]));
        },
    );
    refuse(Plain, "quant_state: blocksize: expected a power of two from 32 on, found 0.", |folder| {
        state(folder, "blocksize", json!(0));
    });
    refuse(
        Plain,
        "absmax of model.layers.0.self_attn.q_proj.weight: expected one for each 128 weights, 288, found 576.",
        |folder| {
            state(folder, "blocksize", json!(128));
        },
    );
    refuse(Nested, "quant_state: nested_blocksize: expected a power of two from 1 on, found 0.", |folder| {
        state(folder, "nested_blocksize", json!(0));
    });
    refuse(Nested, "quant_state: nested_offset is missing.", |folder| {
        state(folder, "nested_offset", json!(null))
    });
    refuse(
        Nested,
        "nested_absmax and nested_quant_map of model.layers.0.self_attn.q_proj.weight: expected 5 by 256 values, found 3 by 256.",
        |folder| {
            state(folder, "nested_blocksize", json!(128));
        },
    );
    refuse(Plain, "quant_state can't be read:", |folder| {
        folder.tensor(&format!("{Q_PROJ}.quant_state.bitsandbytes__nf4")).bytes.fill(b'{');
    });
    refuse(
        Plain,
        "quant_map of model.layers.0.self_attn.q_proj.weight: expected NF4's sixteen values, found others.",
        |folder| {
            folder.tensor(&format!("{Q_PROJ}.quant_map")).bytes[0] ^= 1;
        },
    );
    refuse(
        Plain,
        "absmax of model.layers.0.self_attn.q_proj.weight: expected a number below 7 million, found inf.",
        |folder| {
            folder.tensor(&format!("{Q_PROJ}.absmax")).bytes[..4]
                .copy_from_slice(&f32::INFINITY.to_le_bytes());
        },
    );
    refuse(Plain, "q_proj.weight.absmax is missing.", |folder| folder.remove(&format!("{Q_PROJ}.absmax")));
    refuse(Plain, "q_proj.weight: expected shape [18432, 1], found shape [1, 18432].", |folder| {
        folder.tensor(Q_PROJ).shape = vec![1, 18432];
    });
    refuse(
        Nested,
        "Tensor type U8 of model.layers.0.self_attn.q_proj.weight.absmax is not supported; Pronk runs F32 there.",
        |folder| {
            folder.remove(&format!("{Q_PROJ}.nested_absmax"));
        },
    );
}
