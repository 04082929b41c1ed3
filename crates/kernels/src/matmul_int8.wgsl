// out = X Wᵀ in whole numbers, for some tokens of a step, as a CPU likes it that stands for a GPU: an invocation takes 4 rows
// of W and TOKENS tokens, at most 8, and neither barriers nor workgroup memory are needed. Each token is written out, since
// an array of sums would have to be in memory.

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(@builtin(global_invocation_id) id: vec3u) {
    let tile = FIRST_TILE + id.x;
    if tile >= END_TILE {
        return;
    }
    // The rows of X that are bound are those of some tokens, and say which: see quantize.wgsl.
    let bound = x[4].w;
    let count = min(X_TOKENS, step.seq_len - bound);
    let first = id.y * TOKENS;
    // Tokens past the end are computed as the last one and not stored.
    let last = count - 1u;
    var y0 = vec4f(0.0);
    var y1 = vec4f(0.0);
    var y2 = vec4f(0.0);
    var y3 = vec4f(0.0);
    var y4 = vec4f(0.0);
    var y5 = vec4f(0.0);
    var y6 = vec4f(0.0);
    var y7 = vec4f(0.0);
    for (var block = 0u; block < BLOCKS; block++) {
        let weights = load_tile(tile, block);
        y0 += tile_dot(weights, load_block(min(first, last), block));
        if TOKENS > 1u { y1 += tile_dot(weights, load_block(min(first + 1u, last), block)); }
        if TOKENS > 2u { y2 += tile_dot(weights, load_block(min(first + 2u, last), block)); }
        if TOKENS > 3u { y3 += tile_dot(weights, load_block(min(first + 3u, last), block)); }
        if TOKENS > 4u { y4 += tile_dot(weights, load_block(min(first + 4u, last), block)); }
        if TOKENS > 5u { y5 += tile_dot(weights, load_block(min(first + 5u, last), block)); }
        if TOKENS > 6u { y6 += tile_dot(weights, load_block(min(first + 6u, last), block)); }
        if TOKENS > 7u { y7 += tile_dot(weights, load_block(min(first + 7u, last), block)); }
    }
    let token = bound + first;
    let end = bound + min(count, first + TOKENS);
    store_tile(token, end, tile, y0);
    store_tile(token + 1u, end, tile, y1);
    store_tile(token + 2u, end, tile, y2);
    store_tile(token + 3u, end, tile, y3);
    store_tile(token + 4u, end, tile, y4);
    store_tile(token + 5u, end, tile, y5);
    store_tile(token + 6u, end, tile, y6);
    store_tile(token + 7u, end, tile, y7);
}
