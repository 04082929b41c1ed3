// out = silu(gate) * up, with silu(x) = x / (1 + exp(-x)). One invocation takes 4 values.

@group(1) @binding(0) var<storage, read> gate_up: array<vec4f>;     // [seq_len, 2 * intermediate_size]: gate, then up
@group(1) @binding(1) var<storage, read_write> out: array<vec4f>;   // [seq_len, intermediate_size]

const QUADS = INTERMEDIATE_SIZE / 4u;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(@builtin(global_invocation_id) id: vec3u) {
    if id.x >= QUADS {
        return;
    }
    let gate = gate_up[id.y * 2u * QUADS + id.x];
    let up = gate_up[id.y * 2u * QUADS + QUADS + id.x];
    out[id.y * QUADS + id.x] = gate / (1.0 + exp(-gate)) * up;
}
