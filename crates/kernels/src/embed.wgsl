// out[token] = E[id of token]: one workgroup a token, an invocation every so manieth block of the row.

@group(1) @binding(2) var<storage, read> tokens: array<u32>;      // [1, seq_len]
@group(1) @binding(3) var<storage, read_write> out: array<vec4f>; // [seq_len, columns]

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    // A table larger than a binding comes in shards; each writes the tokens whose rows it has.
    let row = tokens[group.x] - FIRST_ROW;
    if row >= ROWS {
        return;
    }
    for (var block = lane; block < BLOCKS; block += WORKGROUP_SIZE) {
        let tile = load_tile(row / 4u, block);
        for (var index = 0u; index < 8u; index++) {
            out[(group.x * BLOCKS + block) * 8u + index] = weight_quad(tile, row % 4u, index);
        }
    }
}

// The weights themselves, as dot products with the unit vectors.
fn weight_quad(tile: Tile, row: u32, index: u32) -> vec4f {
    return vec4f(
        weight(tile, row, index, vec4f(1.0, 0.0, 0.0, 0.0)),
        weight(tile, row, index, vec4f(0.0, 1.0, 0.0, 0.0)),
        weight(tile, row, index, vec4f(0.0, 0.0, 1.0, 0.0)),
        weight(tile, row, index, vec4f(0.0, 0.0, 0.0, 1.0)),
    );
}

fn weight(tile: Tile, row: u32, index: u32, unit: vec4f) -> f32 {
    let none = vec4f(0.0);
    let product = quads_dot(tile, index, unit);
    if index < 4u {
        return scaled(tile.scales, product, none, 1.0, 0.0)[row];
    }
    return scaled(tile.scales, none, product * HIGH, 0.0, 1.0)[row];
}
