// The best id goes to the ring, for the CPU, and to the front of the tokens, for the next step. Comes behind best.wgsl.

@group(1) @binding(1) var<storage, read_write> sampled: array<u32>; // [1, ring]
@group(1) @binding(2) var<storage, read_write> tokens: array<u32>;  // [1, chunk]

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(@builtin(local_invocation_index) lane: u32) {
    let best = best_id(0u, lane);
    if lane == 0u {
        sampled[step.slot] = best;
        tokens[0] = best;
    }
}
