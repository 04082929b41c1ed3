//! How each quantizer packs a matrix. What it has as content here is what a reader insists on; the rest are zeros.

use format::{NF4, SafetensorsType, TensorName};

use SafetensorsType::{F16, F32, I32, I64, U8};

use crate::model::{CONFIG, Part};

/// Inputs that share a scale.
const GROUP: u64 = 32;

/// A way to pack.
pub(super) struct Packing {
    /// The field of `config.json`.
    pub(super) config: &'static str,
    of: fn(u64, u64) -> Vec<Packed>,
}

/// What follows the stem of a tensor's name, the type, the shape, and the first bytes.
type Packed = (&'static str, SafetensorsType, Vec<u64>, Vec<u8>);

pub(super) const PACKINGS: [Packing; 4] = [
    Packing { config: r#"{"quant_method": "awq", "bits": 4, "group_size": 32}"#, of: awq },
    Packing { config: r#"{"quant_method": "gptq", "bits": 4, "group_size": 32}"#, of: gptq },
    Packing {
        config: r#"{"quant_method": "compressed-tensors", "format": "pack-quantized", "config_groups": {"group_0":
            {"weights": {"num_bits": 4, "symmetric": false, "group_size": 32}}}}"#,
        of: pack_quantized,
    },
    Packing {
        config: r#"{"quant_method": "bitsandbytes", "load_in_4bit": true, "bnb_4bit_quant_type": "nf4"}"#,
        of: nf4,
    },
];

impl Packing {
    /// The tensors that a matrix becomes.
    pub(super) fn parts(&self, name: TensorName) -> Vec<(Part, Vec<u8>)> {
        let [rows, columns] = CONFIG.shape(name).map(|n| n as u64);
        let name = name.to_string();
        let stem = name.trim_end_matches("weight");
        let parts = (self.of)(rows, columns).into_iter();
        parts.map(|(end, dtype, shape, content)| ((format!("{stem}{end}"), dtype, shape), content)).collect()
    }
}

fn awq(rows: u64, columns: u64) -> Vec<Packed> {
    vec![
        ("qweight", I32, vec![columns, rows / 8], vec![]),
        ("qzeros", I32, vec![columns / GROUP, rows / 8], vec![]),
        ("scales", F16, vec![columns / GROUP, rows], vec![]),
    ]
}

fn gptq(rows: u64, columns: u64) -> Vec<Packed> {
    vec![
        ("qweight", I32, vec![columns / 8, rows], vec![]),
        ("qzeros", I32, vec![columns / GROUP, rows / 8], vec![]),
        ("scales", F16, vec![columns / GROUP, rows], vec![]),
        ("g_idx", I32, vec![columns], vec![]),
    ]
}

fn pack_quantized(rows: u64, columns: u64) -> Vec<Packed> {
    vec![
        ("weight_packed", I32, vec![rows, columns / 8], vec![]),
        ("weight_scale", F16, vec![rows, columns / GROUP], vec![]),
        ("weight_shape", I64, vec![2], [rows, columns].map(u64::to_le_bytes).concat()),
        ("weight_zero_point", I32, vec![rows / 8, columns / GROUP], vec![]),
        ("weight_g_idx", I32, vec![columns], vec![]),
    ]
}

fn nf4(rows: u64, columns: u64) -> Vec<Packed> {
    let state = format!("{{\"quant_type\": \"nf4\", \"blocksize\": 64, \"shape\": [{rows}, {columns}]}}");
    vec![
        ("weight", U8, vec![rows * columns / 2, 1], vec![]),
        ("weight.absmax", F32, vec![rows * columns / 64], vec![]),
        ("weight.quant_map", F32, vec![16], NF4.map(f32::to_le_bytes).concat()),
        ("weight.quant_state.bitsandbytes__nf4", U8, vec![state.len() as u64], state.into_bytes()),
    ]
}
