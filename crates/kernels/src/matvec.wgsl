// What both forms of the matrix-vector product share: how activations come in and results go out.

fn load_block(block: u32) -> Block {
    let first = block * 8u;
    return Block(
        x[first], x[first + 1u], x[first + 2u], x[first + 3u],
        x[first + 4u], x[first + 5u], x[first + 6u], x[first + 7u],
    );
}

fn store_tile(tile: u32, y: vec4f) {
    for (var i = 0u; i < min(4u, ROWS - tile * 4u); i++) {
        let column = OUT_COLUMN + tile * 4u + i;
        if ACCUMULATE == 1u {
            out[column] += y[i];
        } else {
            out[column] = y[i];
        }
    }
}
