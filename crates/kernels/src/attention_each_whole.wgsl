// An invocation takes all positions that a token sees, so that its sums are final.

@group(1) @binding(0) var<storage, read> q: array<vec4f>;             // [seq_len, heads * head_dim]
@group(1) @binding(3) var<storage, read_write> sums_of: array<vec4f>; // [seq_len, heads * head_dim]

fn first_position(split: u32) -> u32 {
    return 0u;
}

fn end_position(split: u32) -> u32 {
    return 0xFFFFFFFFu;
}

fn row_of_sums(token: u32, split: u32) -> u32 {
    return token;
}

fn end_head(row: u32, head: u32, highest: f32, total: f32) {
    let first = (row * HEADS + head) * QUADS;
    for (var quad = 0u; quad < QUADS; quad++) {
        sums_of[first + quad] /= total;
    }
}
