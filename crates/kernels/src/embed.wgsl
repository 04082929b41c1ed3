// The table's row of each token: one workgroup a token, an invocation every so manieth block of the row.
// Another piece says where it goes (`put`).

@group(1) @binding(2) var<storage, read> tokens: array<u32>;      // [1, seq_len]

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    // A table larger than a binding comes in shards; each writes the tokens whose rows it has.
    let row = tokens[group.x] - FIRST_ROW;
    if row >= ROWS {
        return;
    }
    for (var block = lane; block < BLOCKS; block += WORKGROUP_SIZE) {
        let packed = load_row(row, block);
        let scales = load_scales(row / 4u, block);
        for (var index = 0u; index < 8u; index++) {
            put(group.x, block * 8u + index, weight_quad(packed, scales, row, index));
        }
    }
}
