// A workgroup takes some of the positions of one token: step.split_len of them, a multiple of TILE. Its sums are to be
// combined with others', by what they are relative to: see attention_combine.wgsl.

@group(1) @binding(3) var<storage, read_write> sums_of: array<vec4f>; // [splits, heads * head_dim]
@group(1) @binding(4) var<storage, read_write> weight_of: array<vec2f>; // [splits, heads] of (highest, total)

fn first_position(split: u32) -> u32 {
    return split * step.split_len;
}

fn end_position(split: u32) -> u32 {
    return (split + 1u) * step.split_len;
}

fn put(split: u32, at: u32, sum: vec4f, head: u32) {
    sums_of[split * HEADS * QUADS + at] = sum;
    if at % QUADS == 0u {
        weight_of[split * HEADS + at / QUADS] = vec2f(highest[head], total[head]);
    }
}
