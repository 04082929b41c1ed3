//! Writes the list and the two shards of an MLC folder, whole or damaged as a test wants them.

use serde_json::{Value, json};

use crate::packers::Quantized;

/// Which shard, name, dtype, shape, bytes. `float32` stands for bfloat16, as MLC stores it.
pub(crate) type Record = (usize, String, &'static str, Vec<usize>, Vec<u8>);

/// Weights and scales of a matrix in groups of 32.
pub(crate) fn packed(shard: usize, stem: &str, matrix: &Quantized) -> [Record; 2] {
    let Quantized { rows, columns, .. } = *matrix;
    let scales = matrix.scales.iter().flat_map(|scale| scale.to_le_bytes()).collect();
    [
        (shard, format!("{stem}.q_weight"), "uint32", vec![rows, columns / 8], matrix.packed()),
        (shard, format!("{stem}.q_scale"), "float16", vec![rows, columns / 32], scales),
    ]
}

/// Row behind row.
pub(crate) fn joined(matrices: &[Quantized]) -> Quantized {
    let mut all = matrices[0].clone();
    for matrix in &matrices[1..] {
        all.rows += matrix.rows;
        all.q.extend(&matrix.q);
        all.scales.extend(&matrix.scales);
    }
    all
}

/// The list, and the shards.
pub(crate) fn list(all: &[Record]) -> (Value, Vec<Vec<u8>>) {
    let mut shards = vec![Vec::<u8>::new(); 2];
    let mut records = [Vec::new(), Vec::new()];
    for (shard, name, dtype, shape, bytes) in all {
        records[*shard].push(json!({
            "name": name, "shape": shape, "dtype": dtype, "format": "f32-to-bf16", "nbytes": bytes.len(),
            "byteOffset": shards[*shard].len(),
        }));
        shards[*shard].extend(bytes);
    }
    let shard = |no: usize| {
        json!({
            "dataPath": format!("params_shard_{no}.bin"), "format": "raw-shard", "nbytes": shards[no].len(),
            "records": records[no], "md5sum": "0",
        })
    };
    (json!({"metadata": {"ParamSize": 1}, "records": [shard(0), shard(1)]}), shards)
}
