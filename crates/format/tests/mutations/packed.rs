//! The bytes of packed weights: sound headers, and anything in the tensors.

use format::layout::TILE;
use format::{Checkpoint, FormatError, NF4, RowReader};
use serde_json::{Value, json};

use crate::hub_writer::{FFN, Folder, HIDDEN, Tensor};
use crate::packers::Quantized;
use crate::{Random, peak_of};

/// A folder whose linear layers are packed; everything else is small.
fn folder(config: Value, pack: impl Fn(&Quantized, &str) -> Vec<Tensor>) -> Folder {
    let mut folder = Folder::tiny();
    folder.config["quantization_config"] = config;
    for (seed, (name, rows, columns)) in [
        ("self_attn.q_proj", 192, HIDDEN),
        ("self_attn.k_proj", 96, HIDDEN),
        ("self_attn.v_proj", 96, HIDDEN),
        ("self_attn.o_proj", HIDDEN, 192),
        ("mlp.gate_proj", FFN, HIDDEN),
        ("mlp.up_proj", FFN, HIDDEN),
        ("mlp.down_proj", HIDDEN, FFN),
    ]
    .into_iter()
    .enumerate()
    {
        let stem = format!("model.layers.0.{name}");
        folder.remove(&format!("{stem}.weight"));
        folder.tensors.extend(pack(&Quantized::random(rows, columns, 64, seed as u64).shuffled(7), &stem));
    }
    folder
}

fn nf4(quantized: &Quantized, stem: &str) -> Vec<Tensor> {
    let tensor = crate::packers::tensor;
    let Quantized { rows, columns, .. } = *quantized;
    let floats = |values: &[f32]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
    let absmax = vec![1.0; rows * columns / 64];
    let state =
        json!({"quant_type": "nf4", "blocksize": 64, "shape": [rows, columns]}).to_string().into_bytes();
    vec![
        tensor(stem, "weight", "U8", &[rows * columns / 2, 1], quantized.packed()),
        tensor(stem, "weight.absmax", "F32", &[absmax.len()], floats(&absmax)),
        tensor(stem, "weight.quant_map", "F32", &[16], floats(&NF4)),
        tensor(stem, "weight.quant_state.bitsandbytes__nf4", "U8", &[state.len()], state),
    ]
}

#[test]
fn nothing_panics_and_memory_is_bounded() {
    let group = json!({"group_0": {"weights": {"num_bits": 4, "symmetric": false, "group_size": 64}}});
    let bits = |method: &str| json!({"quant_method": method, "bits": 4, "group_size": 64});
    let folders = [
        folder(bits("awq"), Quantized::awq),
        folder(bits("gptq"), |quantized, stem| quantized.gptq(stem, 1)),
        folder(
            json!({"quant_method": "compressed-tensors", "format": "pack-quantized", "config_groups": group}),
            Quantized::pack_quantized,
        ),
        folder(
            json!({"quant_method": "bitsandbytes", "load_in_4bit": true, "bnb_4bit_quant_type": "nf4"}),
            nf4,
        ),
    ];
    let mut random = Random(10);
    for mut folder in folders {
        let mut outcomes = [0, 0];
        for round in 0..150 {
            let index = random.below(folder.tensors.len());
            let tensor = &mut folder.tensors[index];
            let healthy = tensor.bytes.clone();
            for _ in 0..random.below(4) {
                let at = random.below(tensor.bytes.len());
                tensor.bytes[at] ^= 1 << random.below(8);
            }
            let (files, weights) = folder.files();
            folder.tensors[index].bytes = healthy;
            let checkpoint = Checkpoint::from_hub(files).unwrap();
            let (result, allocated) = peak_of(|| read(&checkpoint, &weights));
            // Eight times the largest packed tensor, of 25 KB: its parts, its weights a byte each, its blocks.
            assert!(allocated < 8 * 25_000, "round {round}: {allocated} bytes allocated");
            outcomes[usize::from(result.is_err())] += 1;
        }
        assert!(outcomes[0] > 30, "{outcomes:?} {}", folder.config["quantization_config"]);
    }
}

fn read(checkpoint: &Checkpoint, files: &[Vec<u8>]) -> Result<(), FormatError> {
    let mut reader = RowReader::new(checkpoint);
    let mut values = Vec::new();
    while let Some(span) = reader.wants() {
        let bytes = &files[span.file][span.offset as usize..][..span.len as usize];
        reader.push::<FormatError>(span.file, span.offset, bytes, &mut |rows| {
            for first in (0..rows.count()).step_by(TILE) {
                values.clear();
                rows.append_values(first..rows.count().min(first + TILE), &mut values)?;
            }
            Ok(())
        })?;
    }
    reader.finish()
}
