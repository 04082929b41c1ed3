// out = X Wᵀ, for up to 8 tokens, as a GPU likes it: lanes take blocks of a tile of 4 rows, as for one token, and multiply
// each with all tokens, so that weights are read and unpacked once. What other tokens cost is activations, which lie in
// the cache. Where lanes meet is the tier's own: see `matmul_few_subgroups.wgsl` and `matmul_few_plain.wgsl`.

@group(1) @binding(2) var<storage, read> x: array<vec4f>; // [seq_len, columns]

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

fn four_tokens(weights: Tile, first: u32, block: u32) -> mat4x4f {
    return mat4x4f(
        tile_dot(weights, load_block(first, block)),
        tile_dot(weights, load_block(first + 1u, block)),
        tile_dot(weights, load_block(first + 2u, block)),
        tile_dot(weights, load_block(first + 3u, block)),
    );
}

// Tokens past the end are computed as the last one and not stored.
fn load_block(token: u32, block: u32) -> Block {
    let first = (min(token, step.seq_len - 1u) * BLOCKS + block) * 8u;
    return Block(
        x[first], x[first + 1u], x[first + 2u], x[first + 3u],
        x[first + 4u], x[first + 5u], x[first + 6u], x[first + 7u],
    );
}

fn store_tile(token: u32, tile: u32, y: vec4f) {
    if token >= step.seq_len || tile >= END_TILE {
        return;
    }
    for (var i = 0u; i < min(4u, ROWS - tile * 4u); i++) {
        store(token, tile * 4u + i, y[i]);
    }
}
