// The splits of a token's attention in one. One invocation takes 4 values of a head; another piece combines them.

@group(1) @binding(1) var<storage, read_write> out: array<vec4f>; // [1 or more, heads * head_dim]

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(@builtin(global_invocation_id) id: vec3u) {
    if id.x < HEADS * QUADS {
        out[id.x] = combined(id.x);
    }
}
