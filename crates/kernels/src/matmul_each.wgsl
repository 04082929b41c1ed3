// out = X Wᵀ, for the tokens of a step, as a CPU likes it that stands for a GPU: an invocation takes 4 rows of W and TOKENS
// tokens, and neither barriers nor workgroup memory are needed.

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
    let t0 = min(first, last);
    let t1 = min(first + 1u, last);
    let t2 = min(first + 2u, last);
    let t3 = min(first + 3u, last);
    var y0 = vec4f(0.0);
    var y1 = vec4f(0.0);
    var y2 = vec4f(0.0);
    var y3 = vec4f(0.0);
    for (var block = 0u; block < BLOCKS; block++) {
        let weights = load_tile(tile, block);
        y0 += tile_dot(weights, load_block(t0, block));
        y1 += tile_dot(weights, load_block(t1, block));
        y2 += tile_dot(weights, load_block(t2, block));
        y3 += tile_dot(weights, load_block(t3, block));
    }
    store_tile(first, step.seq_len, tile, y0);
    store_tile(first + 1u, step.seq_len, tile, y1);
    store_tile(first + 2u, step.seq_len, tile, y2);
    store_tile(first + 3u, step.seq_len, tile, y3);
}
