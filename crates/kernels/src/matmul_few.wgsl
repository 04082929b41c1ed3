// out = X Wᵀ, for up to 8 tokens, as a GPU likes it: lanes take blocks of a tile of 4 rows, as for one token, and multiply
// each with all tokens, so that weights are read and unpacked once. What other tokens cost is activations, which lie in
// the cache. Where lanes meet is the tier's own: see `matmul_few_subgroups.wgsl` and `matmul_few_plain.wgsl`.

// Column t is a tile's 4 rows times token t, or token 4 + t.
struct Sums {
    low: mat4x4f,
    high: mat4x4f,
}

fn lane_sums(tile: u32, lane: u32, lanes: u32) -> Sums {
    var sums = Sums();
    for (var block = lane; block < BLOCKS; block += lanes) {
        let weights = load_tile(tile, block);
        sums.low += four_tokens(weights, 0u, block);
        if step.seq_len > 4u {
            sums.high += four_tokens(weights, 4u, block);
        }
    }
    return sums;
}

// Tokens past the end are computed as the last one and not stored.
fn four_tokens(weights: Tile, first: u32, block: u32) -> mat4x4f {
    let last = step.seq_len - 1u;
    return mat4x4f(
        tile_dot(weights, load_block(min(first, last), block)),
        tile_dot(weights, load_block(min(first + 1u, last), block)),
        tile_dot(weights, load_block(min(first + 2u, last), block)),
        tile_dot(weights, load_block(min(first + 3u, last), block)),
    );
}

fn store_few(token: u32, tile: u32, y: vec4f) {
    if tile < END_TILE {
        store_tile(token, step.seq_len, tile, y);
    }
}
