// An invocation takes a split, whose length is a multiple of TURN; another piece says where it lies (attention_splits.wgsl).

@group(1) @binding(0) var<uniform> q: array<vec4f, HEADS * QUADS>; // [heads * head_dim]

fn row_of_sums(token: u32, split: u32) -> u32 {
    return split;
}

fn end_head(row: u32, head: u32, highest: f32, total: f32) {
    weight_of[row * HEADS + head] = vec2f(highest, total);
}
