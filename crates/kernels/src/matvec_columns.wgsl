// Results are columns of `out`, from OUT_COLUMN on.

@group(1) @binding(OUT) var<storage, read_write> out: array<f32>; // [1, out columns]

fn store_tile(tile: u32, y: Sum) {
    for (var i = 0u; i < min(4u, ROWS - tile * 4u); i++) {
        out[OUT_COLUMN + tile * 4u + i] = y[i];
    }
}
