// The id that is drawn after each token of the step goes to the CPU only.

@group(1) @binding(2) var<storage, read_write> choices: array<u32>; // [1, seq_len]

fn put(chosen: u32) {
    choices[row] = chosen;
}

fn drawn_after() -> u32 {
    return step.position + row + 1u;
}
