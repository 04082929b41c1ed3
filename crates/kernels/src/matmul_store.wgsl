// Where the results of a matrix product go.

@group(1) @binding(3) var<storage, read_write> out: array<f32>; // [seq_len, OUT_COLUMNS]

fn store(token: u32, row: u32, y: f32) {
    let at = token * OUT_COLUMNS + OUT_COLUMN + row;
    if ACCUMULATE == 1u {
        out[at] += y;
    } else {
        out[at] = y;
    }
}

// Stores 4 rows of one token, unless it lies behind the last.
fn store_tile(token: u32, end: u32, tile: u32, y: vec4f) {
    if token >= end {
        return;
    }
    for (var i = 0u; i < min(4u, ROWS - tile * 4u); i++) {
        store(token, tile * 4u + i, y[i]);
    }
}
