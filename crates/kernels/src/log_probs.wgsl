// Log-probabilities of the chosen token and of the likeliest ones. Comes behind step.wgsl, sampling.wgsl, best.wgsl and
// reduce.wgsl.
//
// One workgroup, which looks at all logits once for each of the likeliest: 20 times vocab_size / 256 turns at most.

@group(1) @binding(1) var<storage, read> settings: Settings;
@group(1) @binding(2) var<storage, read> sampled: array<u32>;         // [1, ring]
@group(1) @binding(3) var<storage, read_write> rows: array<vec2u>;    // [ring, 2 + 2 * most] ids, each with its float

var<workgroup> last: u32;
var<workgroup> last_logit: f32;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(@builtin(local_invocation_index) lane: u32) {
    let row = step.slot * (1u + MOST_LOG_PROBS);
    var best = best_id(0u, lane);
    let chosen = sampled[step.slot];
    if lane == 0u {
        last = best;
        last_logit = logit[0];
    }
    best = workgroupUniformLoad(&last);
    if best == NOT_A_NUMBER {
        if lane == 0u {
            rows[row] = vec2u(NOT_A_NUMBER, 0u);
        }
        return;
    }
    var value = workgroupUniformLoad(&last_logit);
    let highest = clamp(value, -MOST, MOST);

    var mass = 0.0;
    for (var i = lane; i < VOCAB_SIZE; i += WORKGROUP_SIZE) {
        mass += exp(clamp(logits[i], -MOST, MOST) - highest);
    }
    let total = log(workgroup_sum(mass, lane));
    if lane == 0u {
        rows[row] = vec2u(chosen, log_prob(logits[min(chosen, VOCAB_SIZE - 1u)], highest, total));
    }

    for (var place = 1u; place <= settings.log_probs; place++) {
        if lane == 0u {
            rows[row + place] = vec2u(best, log_prob(value, highest, total));
        }
        let next = best_behind(value, best, lane);
        if lane == 0u {
            last = next;
            last_logit = logit[0];
        }
        best = workgroupUniformLoad(&last);
        value = workgroupUniformLoad(&last_logit);
    }
}

fn log_prob(value: f32, highest: f32, total: f32) -> u32 {
    return bitcast<u32>(clamp(value, -MOST, MOST) - highest - total);
}

// The best id of those behind one; VOCAB_SIZE if there is none. Lane 0 gets the answer.
fn best_behind(value: f32, before: u32, lane: u32) -> u32 {
    var best = LOWEST;
    var best_id = VOCAB_SIZE;
    for (var i = lane; i < VOCAB_SIZE; i += WORKGROUP_SIZE) {
        let behind = logits[i] < value || (logits[i] == value && i > before);
        if behind && (logits[i] > best || best_id == VOCAB_SIZE) {
            best = logits[i];
            best_id = i;
        }
    }
    return best_of_lanes(best, best_id, lane);
}
