// The id that is drawn goes to the ring, for the CPU, and to the front of the tokens, for the next step.

@group(1) @binding(2) var<storage, read_write> sampled: array<u32>; // [1, ring]
@group(1) @binding(3) var<storage, read_write> tokens: array<u32>;  // [1, chunk]

fn put(chosen: u32) {
    sampled[step.slot] = chosen;
    tokens[0] = chosen;
}

fn drawn_after() -> u32 {
    return seen();
}
