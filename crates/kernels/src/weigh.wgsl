// What the next product wants of a row of the residual stream: each value times the next norm's gain, and the sums of
// squares of 4. One invocation takes 4 values.

@group(1) @binding(0) var<storage, read> hidden: array<vec4f>;         // [seq_len, hidden_size]
@group(1) @binding(1) var<storage, read> gain: array<vec4f>;           // [1, hidden_size]
@group(1) @binding(2) var<storage, read_write> weighted: array<vec4f>; // [1, hidden_size]
@group(1) @binding(3) var<storage, read_write> squares: array<f32>;    // [1, hidden_size / 4]

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(@builtin(global_invocation_id) id: vec3u) {
    if id.x >= QUADS {
        return;
    }
    let value = hidden[step.row * QUADS + id.x];
    weighted[id.x] = value * gain[id.x];
    squares[id.x] = dot(value, value);
}
