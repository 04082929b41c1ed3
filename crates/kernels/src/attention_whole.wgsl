// A workgroup takes all positions, so that its sums are final.

@group(1) @binding(3) var<storage, read_write> out: array<vec4f>; // [seq_len, heads * head_dim]

fn first_position(split: u32) -> u32 {
    return 0u;
}

fn end_position(split: u32) -> u32 {
    return 0xFFFFFFFFu;
}

fn put(split: u32, at: u32, sum: vec4f, head: u32) {
    out[at] = sum / total[head];
}
