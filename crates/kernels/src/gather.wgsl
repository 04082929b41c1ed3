// out[t, k] = x[t, order[k]]. One invocation takes one value.

@group(1) @binding(0) var<storage, read> x: array<f32>;          // [seq_len, columns]
@group(1) @binding(1) var<storage, read> order: array<u32>;      // [1, columns]
@group(1) @binding(2) var<storage, read_write> out: array<f32>;  // [seq_len, columns]

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(@builtin(global_invocation_id) id: vec3u) {
    if id.x >= COLUMNS {
        return;
    }
    let row = id.y * COLUMNS;
    out[row + id.x] = x[row + order[id.x]];
}
