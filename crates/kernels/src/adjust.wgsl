// scores = logits + bias, penalized for what was there, and masked. Comes behind step.wgsl and sampling.wgsl.
//
// One workgroup. How often each token was there is counted anew for every step, from the ids that stand in the history by
// their positions, so that a step that is taken back leaves nothing to undo. `counts` is zero between steps.

@group(1) @binding(0) var<storage, read> logits: array<f32>;             // [1, vocab_size]
@group(1) @binding(1) var<storage, read> tokens: array<u32>;             // [1, seq_len] the step's own
@group(1) @binding(2) var<storage, read> settings: Settings;
@group(1) @binding(3) var<storage, read> biases: array<vec2u>;           // [MOST_BIASES, 2] id, bits of the bias
@group(1) @binding(4) var<storage, read> mask: array<u32>;               // [1, ceil(vocab_size / 32)]
@group(1) @binding(5) var<storage, read_write> history: array<u32>;      // [1, context] ids by position
@group(1) @binding(6) var<storage, read_write> counts: array<atomic<u32>>; // [1, vocab_size]
@group(1) @binding(7) var<storage, read_write> scores: array<u32>;       // [1, vocab_size] bits of floats

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(@builtin(local_invocation_index) lane: u32) {
    for (var i = lane; i < step.seq_len; i += WORKGROUP_SIZE) {
        history[step.position + i] = tokens[i];
    }
    // As bits, so that a not-a-number stays one.
    for (var i = lane; i < VOCAB_SIZE; i += WORKGROUP_SIZE) {
        scores[i] = bitcast<u32>(logits[i]);
    }
    storageBarrier();

    // No token has two biases.
    for (var i = lane; i < settings.biases; i += WORKGROUP_SIZE) {
        let at = biases[i].x;
        if at < VOCAB_SIZE && is_number(scores[at]) {
            scores[at] = bitcast<u32>(bitcast<f32>(scores[at]) + bitcast<f32>(biases[i].y));
        }
    }
    storageBarrier();

    let first = seen() - min(seen(), settings.window);
    for (var i = first + lane; i < seen(); i += WORKGROUP_SIZE) {
        if history[i] < VOCAB_SIZE {
            atomicAdd(&counts[history[i]], 1u);
        }
    }
    storageBarrier();
    // Whoever takes a count away is the only one to see it.
    for (var i = first + lane; i < seen(); i += WORKGROUP_SIZE) {
        let at = history[i];
        if at < VOCAB_SIZE {
            let count = atomicExchange(&counts[at], 0u);
            if count > 0u && is_number(scores[at]) {
                scores[at] = bitcast<u32>(penalized(bitcast<f32>(scores[at]), count));
            }
        }
    }
    storageBarrier();

    if settings.masked == 1u {
        for (var i = lane; i < VOCAB_SIZE; i += WORKGROUP_SIZE) {
            // However low an allowed one is, it is higher than one that is not.
            let allowed = ((mask[i / 32u] >> (i % 32u)) & 1u) == 1u;
            if is_number(scores[i]) {
                scores[i] = bitcast<u32>(select(MASKED, max(bitcast<f32>(scores[i]), -MOST), allowed));
            }
        }
    }
}

fn penalized(score: f32, count: u32) -> f32 {
    let factor = select(settings.repetition, settings.inverse_repetition, score > 0.0);
    return score * factor - settings.frequency * f32(count) - settings.presence;
}
