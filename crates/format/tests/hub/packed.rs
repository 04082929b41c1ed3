//! Packed linear layers of several groups, through a whole folder, against their definitions.

use std::collections::HashMap;

use format::{Checkpoint, GgmlType, LayerPart, TensorName};
use serde_json::{Value, json};

use crate::packers::Quantized;
use crate::writer::*;
use crate::{read, weights};

/// A folder whose linear layers are packed, and what their weights are, rows in the order that is given.
pub(crate) struct Packed {
    pub(crate) folder: Folder,
    expected: HashMap<TensorName, Vec<f32>>,
}

/// The linear layers of the tiny model with their shapes.
pub(crate) fn layers() -> [(LayerPart, usize, usize); 7] {
    use LayerPart::*;
    [
        (QProj, 192, HIDDEN),
        (KProj, 96, HIDDEN),
        (VProj, 96, HIDDEN),
        (OProj, HIDDEN, 192),
        (GateProj, FFN, HIDDEN),
        (UpProj, FFN, HIDDEN),
        (DownProj, HIDDEN, FFN),
    ]
}

/// Packs each layer; `quantize` makes it from rows, columns and a seed.
pub(crate) fn folder(
    config: Value,
    quantize: impl Fn(usize, usize, u64) -> Quantized,
    pack: impl Fn(&Quantized, &str) -> Vec<Tensor>,
) -> Packed {
    let mut folder = Folder::tiny();
    folder.config["quantization_config"] = config;
    let mut expected = HashMap::new();
    for (seed, (part, rows, columns)) in layers().into_iter().enumerate() {
        let name = TensorName::Layer { index: 0, part };
        let quantized = quantize(rows, columns, seed as u64);
        let stem = name.to_string().trim_end_matches(".weight").to_owned();
        folder.remove(&name.to_string());
        folder.tensors.extend(pack(&quantized, &stem));
        expected.insert(name, in_order(part, quantized.values(), columns));
    }
    Packed { folder, expected }
}

/// Rows of q and k as Hugging Face has them, in the order of all others: golden/rope/qk_permutation.json.
pub(crate) fn in_order(part: LayerPart, values: Vec<f32>, columns: usize) -> Vec<f32> {
    if !matches!(part, LayerPart::QProj | LayerPart::KProj) {
        return values;
    }
    let rows: Vec<&[f32]> = values.chunks(columns).collect();
    let of_hub = |row: usize| row / 32 * 32 + row % 32 / 2 + row % 2 * 16;
    (0..rows.len()).flat_map(|row| rows[of_hub(row)].to_vec()).collect()
}

impl Packed {
    #[track_caller]
    fn check(&self, dtype: GgmlType) {
        let (files, weights_files) = self.folder.files();
        let checkpoint = Checkpoint::from_hub(files).unwrap();
        for piece_len in [97, 4096, usize::MAX / 2] {
            let got = weights(&checkpoint, &weights_files, piece_len);
            for (name, expected) in &self.expected {
                assert_eq!(checkpoint.tensor(*name).unwrap().dtype, dtype);
                assert_equal(&name.to_string(), &got[name], expected);
            }
        }
        assert_eq!(checkpoint.quantization(), dtype);
    }

    /// What a person reads after some damage to a tensor or the config.
    #[track_caller]
    fn refuse(mut self, expected: &str, damage: impl FnOnce(&mut Folder)) {
        damage(&mut self.folder);
        let (files, weights_files) = self.folder.files();
        let error =
            Checkpoint::from_hub(files).and_then(|checkpoint| read(&checkpoint, &weights_files, 1 << 20));
        let Err(error) = error.map_err(|error| error.to_string()) else {
            panic!("no error, expected: {expected}")
        };
        assert!(error.contains(expected), "\n     got: {error}\nexpected: {expected}");
    }
}

#[track_caller]
pub(crate) fn assert_equal(name: &str, got: &[f32], expected: &[f32]) {
    assert_eq!(got.len(), expected.len(), "{name}");
    for (i, (got, expected)) in got.iter().zip(expected).enumerate() {
        assert!(got == expected, "{name}[{i}]: got {got}, expected {expected}");
    }
}

fn awq_config() -> Value {
    json!({"quant_method": "awq", "bits": 4, "group_size": 64, "version": "gemm", "zero_point": true})
}

fn awq() -> Packed {
    folder(awq_config(), |rows, columns, seed| Quantized::random(rows, columns, 64, seed), Quantized::awq)
}

fn gptq_config(sym: bool) -> Value {
    json!({"quant_method": "gptq", "bits": 4, "group_size": 64, "sym": sym, "desc_act": true})
}

fn gptq() -> Packed {
    let quantize = |rows, columns, seed| Quantized::random(rows, columns, 64, seed);
    folder(gptq_config(false), quantize, |quantized, stem| quantized.gptq(stem, 1))
}

fn pack_quantized_config(weights: Value) -> Value {
    json!({
        "quant_method": "compressed-tensors", "format": "pack-quantized", "ignore": ["lm_head"],
        "kv_cache_scheme": null, "config_groups": {"group_0": {
            "targets": ["Linear"], "input_activations": null, "output_activations": null, "weights": weights,
        }},
    })
}

fn symmetric_weights() -> Value {
    json!({"num_bits": 4, "type": "int", "symmetric": true, "strategy": "group", "group_size": 64})
}

fn without(name: &'static str) -> impl Fn(&Tensor) -> bool {
    move |tensor| !tensor.name.ends_with(name)
}

fn pack_quantized() -> Packed {
    let quantize = |rows, columns, seed| Quantized::random(rows, columns, 64, seed).symmetric();
    folder(pack_quantized_config(symmetric_weights()), quantize, |quantized, stem| {
        let tensors = quantized.pack_quantized(stem).into_iter();
        tensors.filter(without("zero_point")).filter(without("g_idx")).collect()
    })
}

#[test]
fn awq_in_groups_and_by_rows() {
    awq().check(GgmlType::Q4_Z);
    let mut config = awq_config();
    config["group_size"] = json!(-1);
    config["version"] = json!("GEMM");
    folder(config, |rows, columns, seed| Quantized::random(rows, columns, columns, seed), Quantized::awq)
        .check(GgmlType::Q4_Z);
}

#[test]
fn gptq_of_both_versions() {
    gptq().check(GgmlType::Q4_Z);
    let mut config = gptq_config(true);
    config["checkpoint_format"] = json!("gptq_v2");
    let symmetric = |rows, columns, seed| Quantized::random(rows, columns, 64, seed).symmetric();
    folder(config, symmetric, |quantized, stem| quantized.gptq(stem, 0)).check(GgmlType::Q4_0);
    folder(gptq_config(true), symmetric, |quantized, stem| quantized.gptq(stem, 1)).check(GgmlType::Q4_0);
    // Without an index, and with a last group of 64 in rows of 192.
    let mut config = gptq_config(false);
    config["group_size"] = json!(128);
    let quantize = |rows, columns, seed| Quantized::random(rows, columns, 128, seed);
    folder(config, quantize, |quantized, stem| quantized.gptq(stem, 1)[..3].to_vec()).check(GgmlType::Q4_Z);
}

#[test]
fn gptq_in_the_order_of_importance() {
    let quantize = |rows, columns, seed| Quantized::random(rows, columns, 64, seed).shuffled(seed);
    folder(gptq_config(false), quantize, |quantized, stem| quantized.gptq(stem, 1)).check(GgmlType::Q4_Z);
    let symmetric =
        |rows, columns, seed| Quantized::random(rows, columns, 64, seed).shuffled(seed).symmetric();
    folder(gptq_config(true), symmetric, |quantized, stem| quantized.gptq(stem, 1)).check(GgmlType::Q4_0);
}

/// Zeros of a bias on layers that have none, as old files have them.
#[test]
fn gptq_with_superfluous_biases() {
    let mut packed = gptq();
    packed.folder.push(0, "model.layers.0.self_attn.q_proj.bias", &[192]);
    packed.check(GgmlType::Q4_Z);
}

#[test]
fn pack_quantized_in_every_way() {
    pack_quantized().check(GgmlType::Q4_0);
    let mut weights = symmetric_weights();
    weights["symmetric"] = json!(false);
    let quantize = |rows, columns, seed| Quantized::random(rows, columns, 64, seed);
    let packed = |quantized: &Quantized, stem: &str| quantized.pack_quantized(stem);
    folder(pack_quantized_config(weights.clone()), quantize, packed).check(GgmlType::Q4_Z);
    let shuffled = |rows, columns, seed| quantize(rows, columns, seed).shuffled(seed);
    folder(pack_quantized_config(weights.clone()), shuffled, packed).check(GgmlType::Q4_Z);
    // Zero points in bytes, an index that nothing has been written to, and a shape of 32 bits.
    folder(pack_quantized_config(weights.clone()), quantize, |quantized, stem| {
        let mut tensors = quantized.pack_quantized(stem);
        let zeros = quantized.zeros.iter().map(|zero| zero.wrapping_sub(8));
        tensors[2].dtype = "I32";
        tensors[2].bytes = [quantized.rows as i32, quantized.columns as i32].map(i32::to_le_bytes).concat();
        (tensors[3].dtype, tensors[3].shape) = ("I8", vec![quantized.rows, quantized.groups]);
        tensors[3].bytes = zeros.collect();
        tensors[4].bytes.fill(255);
        tensors
    })
    .check(GgmlType::Q4_Z);
    // A scale for each row.
    weights["strategy"] = json!("channel");
    weights["group_size"] = json!(null);
    let by_row = |rows, columns, seed| Quantized::random(rows, columns, columns, seed);
    folder(pack_quantized_config(weights), by_row, packed).check(GgmlType::Q4_Z);
}

/// The output of 333 rows, of which the last word of zero points has only five.
#[test]
fn packed_output() {
    let mut weights = symmetric_weights();
    weights["symmetric"] = json!(false);
    let quantize = |rows, columns, seed| Quantized::random(rows, columns, 64, seed);
    let mut packed = folder(pack_quantized_config(weights), quantize, |q, stem| q.pack_quantized(stem));
    let lm_head = quantize(VOCAB, HIDDEN, 77);
    packed.folder.remove("lm_head.weight");
    packed.folder.tensors.extend(lm_head.pack_quantized("lm_head"));
    packed.expected.insert(TensorName::LmHead, lm_head.values());
    packed.check(GgmlType::Q4_Z);
}

/// 6 MB of blocks, which are given in two chunks.
#[test]
fn packed_output_in_chunks() {
    const MANY: usize = 50_000;
    let mut packed = awq();
    let lm_head = Quantized::random(MANY, HIDDEN, 64, 78);
    for name in ["lm_head.weight", "model.embed_tokens.weight"] {
        packed.folder.remove(name);
    }
    packed.folder.config["vocab_size"] = json!(MANY);
    packed.folder.push(1, "model.embed_tokens.weight", &[MANY, HIDDEN]);
    packed.folder.tensors.extend(lm_head.awq("lm_head"));
    packed.expected.insert(TensorName::LmHead, lm_head.values());
    let (files, weights_files) = packed.folder.files();
    let checkpoint = Checkpoint::from_hub(files).unwrap();
    let got = weights(&checkpoint, &weights_files, 1 << 20);
    for (name, expected) in &packed.expected {
        assert_equal(&name.to_string(), &got[name], expected);
    }
}

/// safetensors' own order has all words of a file before all scales: a single pass does not do.
#[test]
fn passes() {
    let one_pass = |packed: &Packed| Checkpoint::from_hub(packed.folder.files().0).unwrap().in_one_pass();
    let mut by_type = awq();
    assert!(one_pass(&by_type));
    by_type.folder.tensors.sort_by_key(|tensor| (tensor.dtype != "I32", tensor.name.clone()));
    assert!(!one_pass(&by_type));
    by_type.check(GgmlType::Q4_Z);
    let plain = Folder::tiny();
    assert!(Checkpoint::from_hub(plain.files().0).unwrap().in_one_pass());
}

#[test]
fn configs_that_are_not_run() {
    let rows: [(Value, &str); 25] = [
        (json!("awq"), "config.json: quantization_config: expected an object, found \"awq\"."),
        (json!({}), "config.json: quantization_config.quant_method is missing."),
        (
            json!({"quant_method": "fp8"}),
            "Quantization \"fp8\" is not supported; Pronk runs 4-bit AWQ (gemm), GPTQ, compressed-tensors (pack-quantized) and bitsandbytes NF4, and every type of GGUF files in common use.",
        ),
        (json!({"quant_method": "awq"}), "quantization_config.bits is missing."),
        (json!({"quant_method": "awq", "bits": 8}), "Quantization \"awq\" with 8 bits is not"),
        (
            json!({"quant_method": "awq", "bits": 4, "version": "gemv"}),
            "Quantization \"awq\" of version \"gemv\" is not",
        ),
        (
            json!({"quant_method": "awq", "bits": 4, "zero_point": false}),
            "Quantization \"awq\" with zero_point false is not",
        ),
        (json!({"quant_method": "awq", "bits": 4}), "quantization_config.group_size is missing."),
        (
            json!({"quant_method": "awq", "bits": 4, "group_size": 16}),
            "quantization_config.group_size: expected a multiple of 32, or -1, found 16.",
        ),
        (
            json!({"quant_method": "awq", "bits": 4, "group_size": 0}),
            "expected a multiple of 32, or -1, found 0.",
        ),
        (json!({"quant_method": "gptq", "bits": 3}), "Quantization \"gptq\" with 3 bits is not"),
        (
            json!({"quant_method": "gptq", "bits": 4, "checkpoint_format": "marlin"}),
            "\"gptq\" with checkpoint_format \"marlin\" is not",
        ),
        (
            json!({"quant_method": "gptq", "bits": 4, "is_marlin_format": true}),
            "\"gptq\" in Marlin's format is not",
        ),
        (json!({"quant_method": "compressed-tensors"}), "quantization_config.format is missing."),
        (
            json!({"quant_method": "compressed-tensors", "format": "float-quantized"}),
            "\"compressed-tensors\" in the format \"float-quantized\" is not",
        ),
        (
            json!({"quant_method": "compressed-tensors", "format": "pack-quantized"}),
            "quantization_config.config_groups is missing.",
        ),
        (
            json!({"quant_method": "compressed-tensors", "format": "pack-quantized", "config_groups": {"a": {}, "b": {}}}),
            "config_groups: expected one group, found 2.",
        ),
        (pack_quantized_config(json!(null)), "quantization_config.config_groups.group_0.weights is missing."),
        (
            pack_quantized_config(json!({"num_bits": 8})),
            "Quantization \"compressed-tensors\" with 8 bits is not",
        ),
        (
            pack_quantized_config(json!({"num_bits": 4, "type": "float"})),
            "with weights of type \"float\" is not",
        ),
        (
            pack_quantized_config(json!({"num_bits": 4, "strategy": "tensor"})),
            "with the strategy \"tensor\" is not",
        ),
        (
            json!({"quant_method": "bitsandbytes", "load_in_8bit": true}),
            "\"bitsandbytes\" with other than 4 bits is not",
        ),
        (
            json!({"quant_method": "bitsandbytes", "load_in_4bit": true, "bnb_4bit_quant_storage": "bfloat16"}),
            "\"bitsandbytes\" with storage of type \"bfloat16\" is not",
        ),
        (
            json!({"quant_method": "bitsandbytes", "load_in_4bit": true}),
            "\"bitsandbytes\" of type \"fp4\" is not",
        ),
        (
            json!({"quant_method": "bitsandbytes", "load_in_4bit": true, "bnb_4bit_quant_type": "int4"}),
            "of type \"int4\" is not",
        ),
    ];
    for (config, expected) in rows {
        awq().refuse(expected, |folder| folder.config["quantization_config"] = config);
    }
    let mut activations = pack_quantized_config(symmetric_weights());
    activations["config_groups"]["group_0"]["input_activations"] = json!({"num_bits": 8});
    pack_quantized().refuse("\"compressed-tensors\" with input_activations is not", |folder| {
        folder.config["quantization_config"] = activations;
    });
    pack_quantized().refuse("\"compressed-tensors\" with kv_cache_scheme is not", |folder| {
        folder.config["quantization_config"]["kv_cache_scheme"] = json!({"num_bits": 8});
    });
}

const Q_PROJ: &str = "model.layers.0.self_attn.q_proj";

fn part(name: &str) -> String {
    format!("{Q_PROJ}.{name}")
}

#[test]
fn parts_that_do_not_fit() {
    awq().refuse("safetensors header: model.layers.0.self_attn.q_proj.qzeros is missing.", |folder| {
        folder.remove(&part("qzeros"));
    });
    awq().refuse("q_proj.qweight: expected shape [192, 24], found shape [24, 192].", |folder| {
        folder.tensor(&part("qweight")).shape = vec![24, 192];
    });
    awq().refuse("q_proj.qzeros: expected shape [2, 24], found shape [3, 24].", |folder| {
        folder.config["quantization_config"]["group_size"] = json!(96);
    });
    awq().refuse(
        "Tensor type F32 of model.layers.0.self_attn.q_proj.qweight is not supported; Pronk runs I32 there.",
        |folder| {
            folder.tensor(&part("qweight")).dtype = "F32";
        },
    );
    awq().refuse("q_proj.g_idx: expected a tensor of Llama's, found another.", |folder| {
        folder.push(0, &part("g_idx"), &[192]);
    });
    awq().refuse("model config: rows of lm_head.weight: expected a multiple of 8, found 333.", |folder| {
        folder.remove("lm_head.weight");
    });
    awq().refuse("model.layers.0.self_attn.q_proj.weight is missing.", |folder| {
        folder.config["quantization_config"] = json!(null);
    });
    gptq().refuse("q_proj.g_idx: expected shape [192], found shape [96, 2].", |folder| {
        folder.tensor(&part("g_idx")).shape = vec![96, 2];
    });
    pack_quantized().refuse("q_proj.weight_zero_point is missing.", |folder| {
        folder.config["quantization_config"]["config_groups"]["group_0"]["weights"]["symmetric"] =
            json!(false);
    });
    pack_quantized().refuse("q_proj.weight_shape is missing.", |folder| folder.remove(&part("weight_shape")));
}

/// What only the bytes tell: damage, or a config that lies.
#[test]
fn bytes_that_do_not_fit() {
    let infinite = [0x00, 0x7c];
    awq().refuse("tensor data: scale 0 of model.layers.0.self_attn.q_proj.weight: expected a number, at most 65504, found inf.", |folder| {
        folder.tensor(&part("scales")).bytes[..2].copy_from_slice(&infinite);
    });
    // 2^20 in bfloat16, which no half holds; and one that is no number.
    pack_quantized().refuse(
        "scale 0 of model.layers.0.self_attn.q_proj.weight: expected a number, at most 65504, found 1048576.",
        |folder| {
            folder.tensor(&part("weight_scale")).bytes[..2].copy_from_slice(&[0x80, 0x49]);
        },
    );
    pack_quantized().refuse("expected a number, at most 65504, found NaN.", |folder| {
        folder.tensor(&part("weight_scale")).bytes[..2].copy_from_slice(&[0xc0, 0x7f]);
    });
    gptq().refuse("zero of group 0 of model.layers.0.self_attn.q_proj.weight: expected 8, as \"sym\" in the config says, found", |folder| {
        folder.config["quantization_config"]["sym"] = json!(true);
    });
    for (group, found) in [(3i32, "3"), (-1, "-1"), (i32::MAX, "2147483647")] {
        let expected = format!(
            "group of column 5 of model.layers.0.self_attn.q_proj.weight: expected 0 to 2, found {found}."
        );
        gptq().refuse(&expected, |folder| {
            folder.tensor(&part("g_idx")).bytes[20..24].copy_from_slice(&group.to_le_bytes());
        });
    }
    gptq().refuse("groups of columns, sorted, 32 and on of model.layers.0.self_attn.q_proj.weight: expected 32 columns of one group, found several groups.", |folder| {
        folder.tensor(&part("g_idx")).bytes[20..24].copy_from_slice(&2i32.to_le_bytes());
    });
    pack_quantized().refuse(
        "weight_shape of model.layers.0.self_attn.q_proj.weight: expected [192, 192], found [192, 191].",
        |folder| {
            folder.tensor(&part("weight_shape")).bytes[8] = 191;
        },
    );
}
