// Draws an id: the highest of gumbel - distance, of those that top_k, top_p and min_p leave. Comes behind step.wgsl,
// sampling.wgsl, best.wgsl, sample_cut.wgsl and sample_noise.wgsl, and behind the piece that says where it goes (`put`)
// and how many ids come before it (`drawn_after`).
//
// A workgroup draws from a row. Every loop over the vocabulary takes a lane vocab_size / 256 turns, and there are at most 13.

@group(1) @binding(1) var<storage, read> settings: Settings;

var<private> row: u32;

const DISTANCE_UNIT = 7.450580596923828e-9; // 2^-27
const UNITS = 134217728.0;
const FARTHEST = 0xFFFFFF00u;
const TOO_FAR = 0xFFFFFFFFu;

var<workgroup> likeliest: u32;
var<workgroup> highest: f32;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    row = group.x;
    let best = best_id(group.x, lane);
    if lane == 0u {
        likeliest = best;
        highest = clamp(logit[0], -MOST, MOST);
        candidates = 0u;
    }
    if workgroupUniformLoad(&likeliest) == NOT_A_NUMBER {
        if lane == 0u {
            put(NOT_A_NUMBER);
        }
        return;
    }
    let drawn = draw(farthest_drawn(lane), lane);
    if lane == 0u {
        put(drawn);
    }
}

// How much less likely than the likeliest a token is: (highest - score) / temperature.
fn distance_of(i: u32) -> u32 {
    let score = logits[row * VOCAB_SIZE + i];
    let behind = highest - clamp(score, -MOST, MOST);
    if score == MASKED || behind >= settings.reach {
        return TOO_FAR;
    }
    return u32(min(behind * settings.inverse_temperature * UNITS, f32(FARTHEST)));
}

// The farthest distance that may be drawn, after top_k, top_p and min_p.
fn farthest_drawn(lane: u32) -> u32 {
    var farthest = settings.min_p_distance;
    var within = FARTHEST;
    if settings.top_k > 0u {
        within = reached_at(NUMBER, vec2u(settings.top_k, 0u), lane);
        farthest = min(farthest, within);
    }
    if settings.top_p > 0u {
        let wanted = share(mass_within(within, lane), settings.top_p);
        farthest = min(farthest, reached_at(MASS, wanted, lane));
    }
    return farthest;
}

// Lane 0 gets the answer.
fn draw(farthest: u32, lane: u32) -> u32 {
    let key = noise_key(settings.seed[0], settings.seed[1], drawn_after());
    let listed = workgroupUniformLoad(&candidates) != 0u;
    let count = elements();
    var lead = LOWEST;
    var leader = VOCAB_SIZE;
    for (var i = lane; i < count; i += WORKGROUP_SIZE) {
        let distance = element_distance(i, listed);
        if distance <= farthest {
            var at = i;
            if listed {
                at = candidate_id[i];
            }
            let own = gumbel(noise(key, at)) - f32(distance) * DISTANCE_UNIT;
            if own > lead || (own == lead && at < leader) {
                lead = own;
                leader = at;
            }
        }
    }
    return best_of_lanes(lead, leader, lane);
}
