// out = x / sqrt(mean(x²) + eps) * weight, row by row. One workgroup takes one row.

@group(1) @binding(0) var<storage, read> x: array<f32>;          // [seq_len, hidden_size]
@group(1) @binding(1) var<storage, read> weight: array<f32>;     // [1, hidden_size]
@group(1) @binding(2) var<storage, read_write> out: array<f32>;  // [seq_len, hidden_size]

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let first = group.x * HIDDEN_SIZE;

    var sum_of_squares = 0.0;
    for (var i = lane; i < HIDDEN_SIZE; i += WORKGROUP_SIZE) {
        sum_of_squares += x[first + i] * x[first + i];
    }
    let mean_square = workgroup_sum(sum_of_squares, lane) / f32(HIDDEN_SIZE);
    let scale = inverseSqrt(mean_square + EPS);

    for (var i = lane; i < HIDDEN_SIZE; i += WORKGROUP_SIZE) {
        out[first + i] = x[first + i] * scale * weight[i];
    }
}
