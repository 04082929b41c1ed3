// Where the KV cache keeps things. `quad` counts groups of 4 values inside a head, `span` groups of SPAN quads, which
// may share a scale. Keys lie so that neighbouring lanes, which take neighbouring positions, read neighbouring quads;
// values so that neighbouring lanes, which take neighbouring quads, do. Scales lie behind all quads.

const QUADS = HEAD_DIM / 4u;
const SPANS = QUADS / SPAN;
const SCALES = KV_HEADS * POSITIONS * QUADS;

fn key_at(kv_head: u32, position: u32, quad: u32) -> u32 {
    return ((kv_head * (POSITIONS / 32u) + position / 32u) * QUADS + quad) * 32u + position % 32u;
}

fn value_at(kv_head: u32, position: u32, quad: u32) -> u32 {
    return (kv_head * POSITIONS + position) * QUADS + quad;
}

fn key_scale_at(kv_head: u32, position: u32, span: u32) -> u32 {
    return SCALES + ((kv_head * (POSITIONS / 32u) + position / 32u) * SPANS + span) * 32u + position % 32u;
}

fn value_scale_at(kv_head: u32, position: u32, span: u32) -> u32 {
    return SCALES + (kv_head * POSITIONS + position) * SPANS + span;
}
