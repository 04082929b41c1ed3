// The best id of each token of the step. Comes behind best.wgsl.

@group(1) @binding(1) var<storage, read_write> choices: array<u32>; // [1, seq_len]

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let best = best_id(group.x, lane);
    if lane == 0u {
        choices[group.x] = best;
    }
}
