// Where the KV cache keeps things. `quad` counts groups of 4 values inside a head.
// Keys lie so that neighbouring lanes, which take neighbouring positions, read neighbouring quads;
// values so that neighbouring lanes, which take neighbouring quads, do.

const QUADS = HEAD_DIM / 4u;

fn key_at(kv_head: u32, position: u32, quad: u32) -> u32 {
    return ((kv_head * (POSITIONS / 32u) + position / 32u) * QUADS + quad) * 32u + position % 32u;
}

fn value_at(kv_head: u32, position: u32, quad: u32) -> u32 {
    return (kv_head * POSITIONS + position) * QUADS + quad;
}
