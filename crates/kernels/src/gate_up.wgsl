// silu(gate) * up of one token, with silu(x) = x / (1 + exp(-x)). A tile is 4 rows of gate and the 4 of up that go with them.

@group(1) @binding(OUT) var<storage, read_write> act: array<vec4f>; // [chunk, intermediate_size]

fn store_tile(tile: u32, y: Sum) {
    act[tile] = y[0] / (1.0 + exp(-y[0])) * y[1];
}
