// The id of the highest of some logits, the lower one of two equals; NOT_A_NUMBER if one of them is none, or if all are
// masked.
// A workgroup takes a row.

@group(1) @binding(0) var<storage, read> logits: array<f32>; // [rows, vocab_size]

const NOT_A_NUMBER = 0xFFFFFFFFu;
const LOWEST = -3.4e38; // What masked ones have, and no others.

var<workgroup> logit: array<f32, WORKGROUP_SIZE>;
var<workgroup> id: array<u32, WORKGROUP_SIZE>;

struct Best {
    logit: f32,
    id: u32,
}

// Lane 0 gets the answer; `logit[0]` is its logit.
fn best_id(row: u32, lane: u32) -> u32 {
    var best = Best(LOWEST, VOCAB_SIZE);
    var i = lane;
    // Four at a time, so that as many loads are under way: one after the other, each waits for memory.
    for (; i + 3u * WORKGROUP_SIZE < VOCAB_SIZE; i += 4u * WORKGROUP_SIZE) {
        let at = row * VOCAB_SIZE + i;
        let a = logits[at];
        let b = logits[at + WORKGROUP_SIZE];
        let c = logits[at + 2u * WORKGROUP_SIZE];
        let d = logits[at + 3u * WORKGROUP_SIZE];
        best = better(better(best, a, i), b, i + WORKGROUP_SIZE);
        best = better(better(best, c, i + 2u * WORKGROUP_SIZE), d, i + 3u * WORKGROUP_SIZE);
    }
    for (; i < VOCAB_SIZE; i += WORKGROUP_SIZE) {
        best = better(best, logits[row * VOCAB_SIZE + i], i);
    }
    let highest_id = best_of_lanes(best.logit, best.id, lane);
    return select(highest_id, NOT_A_NUMBER, logit[0] == LOWEST);
}

fn better(best: Best, value: f32, i: u32) -> Best {
    // Compilers may take it that no value is a NaN, so the bits are looked at.
    if (bitcast<u32>(value) & 0x7FFFFFFFu) > 0x7F800000u {
        return Best(3.4e38, NOT_A_NUMBER);
    }
    if best.id != NOT_A_NUMBER && (value > best.logit || best.id == VOCAB_SIZE) {
        return Best(value, i);
    }
    return best;
}

// The same of one logit and its id for each lane; an id of VOCAB_SIZE for none.
fn best_of_lanes(best: f32, best_id: u32, lane: u32) -> u32 {
    logit[lane] = best;
    id[lane] = best_id;
    for (var stride = WORKGROUP_SIZE / 2u; stride > 0u; stride /= 2u) {
        workgroupBarrier();
        if lane < stride {
            keep_better(lane, lane + stride);
        }
    }
    return id[0];
}

fn keep_better(a: u32, b: u32) {
    let not_a_number = id[a] == NOT_A_NUMBER || id[b] == NOT_A_NUMBER;
    // An invocation that saw no logit has VOCAB_SIZE for an id, and loses against any.
    let better = logit[b] > logit[a] || (logit[b] == logit[a] && id[b] < id[a]);
    if not_a_number {
        id[a] = NOT_A_NUMBER;
    } else if id[b] != VOCAB_SIZE && (better || id[a] == VOCAB_SIZE) {
        logit[a] = logit[b];
        id[a] = id[b];
    }
}
