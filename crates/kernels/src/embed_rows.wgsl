// Rows of the table go to the tokens' rows of `out`.

@group(1) @binding(3) var<storage, read_write> out: array<vec4f>; // [seq_len, columns]

fn put(token: u32, quad: u32, value: vec4f) {
    out[token * BLOCKS * 8u + quad] = value;
}
