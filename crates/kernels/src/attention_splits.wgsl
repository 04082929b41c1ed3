// Some of the positions of the step's first token: step.split_len of them. What they come to is combined with what others
// do, by what it is relative to: see attention_combined.wgsl.

@group(1) @binding(3) var<storage, read_write> sums_of: array<vec4f>;   // [splits, heads * head_dim]
@group(1) @binding(4) var<storage, read_write> weight_of: array<vec2f>; // [splits, heads] of (highest, total)

fn first_position(split: u32) -> u32 {
    return split * step.split_len;
}

fn end_position(split: u32) -> u32 {
    return (split + 1u) * step.split_len;
}
