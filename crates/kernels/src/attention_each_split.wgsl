// An invocation takes some of the positions of the step's first token: step.split_len of them, a multiple of TURN. Its
// sums are combined with those of other splits, by what they are relative to: see attention_combine.wgsl.

@group(1) @binding(0) var<uniform> q: array<vec4f, HEADS * QUADS>;      // [heads * head_dim]
@group(1) @binding(3) var<storage, read_write> sums_of: array<vec4f>;   // [splits, heads * head_dim]
@group(1) @binding(4) var<storage, read_write> weight_of: array<vec2f>; // [splits, heads] of (highest, total)

fn first_position(split: u32) -> u32 {
    return split * step.split_len;
}

fn end_position(split: u32) -> u32 {
    return (split + 1u) * step.split_len;
}

fn row_of_sums(token: u32, split: u32) -> u32 {
    return split;
}

fn end_head(row: u32, head: u32, highest: f32, total: f32) {
    weight_of[row * HEADS + head] = vec2f(highest, total);
}
