// A workgroup takes a split, whose length is a multiple of TILE; another piece says where it lies (attention_splits.wgsl).

fn put(split: u32, at: u32, sum: vec4f, head: u32) {
    sums_of[split * HEADS * QUADS + at] = sum;
    if at % QUADS == 0u {
        weight_of[split * HEADS + at / QUADS] = vec2f(highest[head], total[head]);
    }
}
