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
