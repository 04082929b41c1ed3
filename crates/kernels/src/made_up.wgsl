// words[i] = a hash of i and SEED, with some bits kept and others set. Of each PERIOD words the first HEAD are of another kind.

@group(1) @binding(0) var<storage, read_write> words: array<u32>; // [1, LEN]

// PCG's output of 32 bits from a state of 32 bits.
fn hash(i: u32) -> u32 {
    let state = (i + SEED) * 747796405u + 2891336453u;
    let word = ((state >> ((state >> 28u) + 4u)) ^ state) * 277803737u;
    return (word >> 22u) ^ word;
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(@builtin(global_invocation_id) id: vec3u) {
    for (var i = id.x; i < LEN; i += INVOCATIONS) {
        let is_head = i % PERIOD < HEAD;
        words[i] = (hash(i) & select(KEPT, HEAD_KEPT, is_head)) | select(SET, HEAD_SET, is_head);
    }
}
