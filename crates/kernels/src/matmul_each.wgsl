// out = X Wᵀ, for the tokens of a step, as a CPU likes it that stands for a GPU: an invocation takes 4 rows of W and TOKENS
// tokens, and neither barriers nor workgroup memory are needed.

@group(1) @binding(2) var<storage, read> x: array<vec4f>;         // [seq_len, columns]

const TOKENS = 4u;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(@builtin(global_invocation_id) id: vec3u) {
    let tile = FIRST_TILE + id.x;
    let first = id.y * TOKENS;
    if tile >= END_TILE {
        return;
    }
    // Tokens past the end are computed as the last one and not stored.
    let last = step.seq_len - 1u;
    let x0 = min(first, last) * BLOCKS * 8u;
    let x1 = min(first + 1u, last) * BLOCKS * 8u;
    let x2 = min(first + 2u, last) * BLOCKS * 8u;
    let x3 = min(first + 3u, last) * BLOCKS * 8u;
    var y0 = vec4f(0.0);
    var y1 = vec4f(0.0);
    var y2 = vec4f(0.0);
    var y3 = vec4f(0.0);
    for (var block = 0u; block < BLOCKS; block++) {
        let weights = load_tile(tile, block);
        y0 += tile_dot(weights, load_block(x0, block));
        y1 += tile_dot(weights, load_block(x1, block));
        y2 += tile_dot(weights, load_block(x2, block));
        y3 += tile_dot(weights, load_block(x3, block));
    }
    store_tile(first, tile, y0);
    store_tile(first + 1u, tile, y1);
    store_tile(first + 2u, tile, y2);
    store_tile(first + 3u, tile, y3);
}

fn load_block(row: u32, block: u32) -> Block {
    let first = row + block * 8u;
    return Block(
        x[first], x[first + 1u], x[first + 2u], x[first + 3u],
        x[first + 4u], x[first + 5u], x[first + 6u], x[first + 7u],
    );
}

fn store_tile(token: u32, tile: u32, y: vec4f) {
    if token >= step.seq_len {
        return;
    }
    for (var i = 0u; i < min(4u, ROWS - tile * 4u); i++) {
        store(token, tile * 4u + i, y[i]);
    }
}
