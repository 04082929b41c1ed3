//! One number for all shader sources: where it differs, what was found out about kernels on a device no longer holds.

/// Of every `.wgsl` of this crate, by name and contents: 64 bits of FNV-1a.
pub const SOURCES_HASH: u64 = combined(&HASHES);

/// What FNV-1a starts from.
const BASIS: u64 = 0xCBF2_9CE4_8422_2325;

/// Names and hashes of the files. Each is hashed while this is compiled, so that no program carries the texts twice.
macro_rules! hashes {
    ($($name:literal,)*) => {
        const HASHES: [u64; [$($name),*].len()] =
            [$(const { hashed(hashed(BASIS, $name.as_bytes()), include_bytes!($name)) }),*];

        #[cfg(test)]
        const NAMES: [&str; HASHES.len()] = [$($name),*];
    };
}

hashes! {
    "adjust.wgsl",
    "argmax.wgsl",
    "argmax_each.wgsl",
    "attention.wgsl",
    "attention_combine.wgsl",
    "attention_combined.wgsl",
    "attention_each.wgsl",
    "attention_each_split.wgsl",
    "attention_each_whole.wgsl",
    "attention_split.wgsl",
    "attention_splits.wgsl",
    "attention_tiled.wgsl",
    "attention_whole.wgsl",
    "best.wgsl",
    "checksum.wgsl",
    "embed.wgsl",
    "embed_rows.wgsl",
    "embed_stream.wgsl",
    "gate_up.wgsl",
    "gather.wgsl",
    "halves_bf16.wgsl",
    "halves_f16.wgsl",
    "kv.wgsl",
    "kv_f16.wgsl",
    "kv_f32.wgsl",
    "kv_i8.wgsl",
    "log_probs.wgsl",
    "made_up.wgsl",
    "matmul_each.wgsl",
    "matmul_few.wgsl",
    "matmul_few_plain.wgsl",
    "matmul_few_subgroups.wgsl",
    "matmul_int8.wgsl",
    "matmul_store.wgsl",
    "matmul_tiled.wgsl",
    "matvec_columns.wgsl",
    "matvec_each.wgsl",
    "matvec_lane.wgsl",
    "matvec_normed_input.wgsl",
    "matvec_one.wgsl",
    "matvec_one_across.wgsl",
    "matvec_pair.wgsl",
    "matvec_pair_across.wgsl",
    "matvec_plain.wgsl",
    "matvec_plain_input.wgsl",
    "matvec_subgroups.wgsl",
    "qkv.wgsl",
    "quantize.wgsl",
    "quantize_floats.wgsl",
    "quantize_normed.wgsl",
    "quantize_plain.wgsl",
    "quantize_splits.wgsl",
    "quants_f16.wgsl",
    "quants_f32.wgsl",
    "quants_q4.wgsl",
    "quants_q6.wgsl",
    "quants_q8.wgsl",
    "reduce.wgsl",
    "residual.wgsl",
    "rms_norm.wgsl",
    "rope.wgsl",
    "sample.wgsl",
    "sample_cut.wgsl",
    "sample_each.wgsl",
    "sample_noise.wgsl",
    "sample_one.wgsl",
    "sampling.wgsl",
    "scales_none.wgsl",
    "scales_one.wgsl",
    "scales_pair.wgsl",
    "scales_two.wgsl",
    "scales_two_minimum.wgsl",
    "silu_mul.wgsl",
    "step.wgsl",
    "tile.wgsl",
    "tile_f32.wgsl",
    "tile_int8.wgsl",
    "tiled_floats.wgsl",
    "tiled_halves.wgsl",
    "turn.wgsl",
    "weigh.wgsl",
}

const fn combined(hashes: &[u64]) -> u64 {
    let (mut hash, mut at) = (BASIS, 0);
    while at < hashes.len() {
        hash = hashed(hash, &hashes[at].to_le_bytes());
        at += 1;
    }
    hash
}

const fn hashed(mut hash: u64, bytes: &[u8]) -> u64 {
    let mut at = 0;
    while at < bytes.len() {
        hash = (hash ^ bytes[at] as u64).wrapping_mul(0x0100_0000_01B3);
        at += 1;
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shader_is_in_the_list() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src");
        let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
        let mut shaders: Vec<String> = files.filter_map(|name| name.into_string().ok()).collect();
        shaders.retain(|name| name.ends_with(".wgsl"));
        shaders.sort();
        assert_eq!(shaders, NAMES);
    }

    #[test]
    fn any_change_changes_the_hash() {
        assert_eq!(hashed(BASIS, b"a"), 0xAF63_DC4C_8601_EC8C); // From FNV's own test vectors.
        let hash = combined(&HASHES);
        for at in 0..HASHES.len() {
            let mut changed = HASHES;
            changed[at] = hashed(changed[at], b" ");
            assert_ne!(combined(&changed), hash, "{}", NAMES[at]);
        }
    }
}
