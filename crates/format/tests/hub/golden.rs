//! The vectors of golden/quantized-safetensors, as tensors of a folder: a matrix of 16 outputs by 64 inputs.
//!
//! It stands as v_proj, whose rows stay in their order, and as k_proj, whose rows don't.

use format::{Checkpoint, GgmlType, LayerPart, TensorName};
use serde_json::{Value, json};

use crate::packed::assert_equal;
use crate::packers::tensor;
use crate::weights;
use crate::writer::*;

pub(crate) fn golden(name: &str) -> Value {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/quantized-safetensors");
    serde_json::from_slice(&std::fs::read(format!("{folder}/{name}")).unwrap()).unwrap()
}

pub(crate) fn bytes(hex: &Value) -> Vec<u8> {
    let digits = hex.as_str().unwrap().as_bytes().chunks(2);
    digits.map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

pub(crate) fn floats(hex: &Value) -> Vec<f32> {
    bytes(hex).as_chunks().0.iter().map(|le| f32::from_le_bytes(*le)).collect()
}

/// `[out][in]` from `[in][out]`.
fn transposed(values: &[f32]) -> Vec<f32> {
    (0..16).flat_map(|o| (0..64).map(move |i| values[i * 16 + o])).collect()
}

/// One head of 16 serves four.
fn folder(quantization: Value) -> Folder {
    let mut folder = Folder::tiny();
    folder.tensors.clear();
    folder.config["hidden_size"] = json!(64);
    folder.config["intermediate_size"] = json!(32);
    folder.config["num_attention_heads"] = json!(4);
    folder.config["num_key_value_heads"] = json!(1);
    folder.config["vocab_size"] = json!(5);
    folder.config["tie_word_embeddings"] = json!(true);
    folder.config["quantization_config"] = quantization;
    folder.push(0, "model.embed_tokens.weight", &[5, 64]);
    folder.push(0, "model.norm.weight", &[64]);
    for (name, shape) in [
        ("input_layernorm", &[64][..]),
        ("post_attention_layernorm", &[64]),
        ("self_attn.q_proj", &[64, 64]),
        ("self_attn.o_proj", &[64, 64]),
        ("mlp.gate_proj", &[32, 64]),
        ("mlp.up_proj", &[32, 64]),
        ("mlp.down_proj", &[64, 32]),
    ] {
        folder.push(0, &format!("model.layers.0.{name}.weight"), shape);
    }
    folder
}

/// `pack` makes the tensors of a layer from what their names begin with; `expected` is `[out][in]`.
#[track_caller]
fn check(quantization: Value, dtype: GgmlType, expected: &[f32], pack: impl Fn(&str) -> Vec<Tensor>) {
    let mut folder = folder(quantization);
    for name in ["k_proj", "v_proj"] {
        folder.tensors.extend(pack(&format!("model.layers.0.self_attn.{name}")));
    }
    let (files, weights_files) = folder.files();
    let checkpoint = Checkpoint::from_hub(files).unwrap();
    let got = weights(&checkpoint, &weights_files, 1000);
    let layer = |part| TensorName::Layer { index: 0, part };
    assert_eq!(checkpoint.tensor(layer(LayerPart::VProj)).unwrap().dtype, dtype);
    assert_equal("v_proj", &got[&layer(LayerPart::VProj)], expected);
    let of_hub = |row: usize| row / 2 + row % 2 * 8;
    let k_proj: Vec<f32> = (0..16).flat_map(|row| expected[of_hub(row) * 64..][..64].to_vec()).collect();
    assert_equal("k_proj", &got[&layer(LayerPart::KProj)], &k_proj);
}

#[test]
fn awq() {
    let golden = &golden("awq_gptq_ct_mlc_vectors.json")["awq"];
    let config =
        json!({"quant_method": "awq", "bits": 4, "group_size": 32, "version": "gemm", "zero_point": true});
    let expected = transposed(&floats(&golden["dequant_f32_le_hex [in][out]"]));
    check(config, GgmlType::Q4_Z, &expected, |stem| {
        vec![
            tensor(stem, "qweight", "I32", &[64, 2], bytes(&golden["qweight_i32_le_hex [in][out/8]"])),
            tensor(stem, "qzeros", "I32", &[2, 2], bytes(&golden["qzeros_i32_le_hex [in/g][out/8]"])),
            tensor(stem, "scales", "F16", &[2, 16], bytes(&golden["scales_f16_le_hex [in/g][out]"])),
        ]
    });
}

#[test]
fn gptq() {
    let golden = &golden("awq_gptq_ct_mlc_vectors.json")["gptq_v1"];
    for (g_idx, dequant) in [
        ("g_idx_identity", "dequant_f32_le_hex [in][out]"),
        ("g_idx_desc_act", "dequant_desc_act_f32_le_hex [in][out]"),
    ] {
        let config =
            json!({"quant_method": "gptq", "bits": 4, "group_size": 32, "sym": false, "desc_act": true});
        let groups = golden[g_idx].as_array().unwrap().iter().map(|g| g.as_i64().unwrap() as i32);
        let groups: Vec<u8> = groups.flat_map(i32::to_le_bytes).collect();
        check(config, GgmlType::Q4_Z, &transposed(&floats(&golden[dequant])), |stem| {
            let qzeros = bytes(&golden["qzeros_i32_le_hex [in/g][out/8] (stores z-1)"]);
            vec![
                tensor(stem, "qweight", "I32", &[8, 16], bytes(&golden["qweight_i32_le_hex [in/8][out]"])),
                tensor(stem, "qzeros", "I32", &[2, 2], qzeros),
                tensor(stem, "scales", "F16", &[2, 16], bytes(&golden["scales_f16_le_hex [in/g][out]"])),
                tensor(stem, "g_idx", "I32", &[64], groups.clone()),
            ]
        });
    }
}

#[test]
fn pack_quantized() {
    let golden = &golden("awq_gptq_ct_mlc_vectors.json")["compressed_tensors_pack_quantized_sym"];
    let config = json!({
        "quant_method": "compressed-tensors", "format": "pack-quantized",
        "config_groups": {"group_0": {"weights": {"num_bits": 4, "symmetric": true, "group_size": 32}}},
    });
    let expected = floats(&golden["dequant_f32_le_hex [out][in]"]);
    check(config, GgmlType::Q4_0, &expected, |stem| {
        let shape = golden["weight_shape"].as_array().unwrap().iter().map(|n| n.as_i64().unwrap());
        vec![
            tensor(
                stem,
                "weight_packed",
                "I32",
                &[16, 8],
                bytes(&golden["weight_packed_i32_le_hex [out][in/8]"]),
            ),
            tensor(
                stem,
                "weight_scale",
                "F16",
                &[16, 2],
                bytes(&golden["weight_scale_f16_le_hex [out][in/g]"]),
            ),
            tensor(stem, "weight_shape", "I64", &[2], shape.flat_map(i64::to_le_bytes).collect()),
        ]
    });
}
