// The distance up to which tokens may be drawn: where a number of tokens, or a mass of probability, is reached.
//
// Distances are 32 bits, and are searched 8 bits at a time: a histogram over 256 bins, one for each lane, says in which bin
// the sum is reached, and the next histogram divides that bin. Sums are whole numbers of 64 bits, the same in any order.
// After the first histogram few tokens are left as a rule; if they fit, the rest is done in workgroup memory.

// What is summed up.
const NUMBER = 0u;
const MASS = 1u;

const CANDIDATES = 1024u;

var<workgroup> bin_low: array<atomic<u32>, WORKGROUP_SIZE>;
var<workgroup> bin_high: array<atomic<u32>, WORKGROUP_SIZE>;
var<workgroup> sums: array<vec2u, WORKGROUP_SIZE>;

// The bin where a sum is reached, and what it still lacks at the bin's beginning.
var<workgroup> found_bin: u32;
var<workgroup> found_lack: vec2u;

var<workgroup> candidate_distance: array<u32, CANDIDATES>;
var<workgroup> candidate_id: array<u32, CANDIDATES>;
var<workgroup> gathered: atomic<u32>;
// How many candidates there are; 0 while the whole vocabulary is looked at.
var<workgroup> candidates: u32;

// How many elements there are to look at: a barrier for all.
fn elements() -> u32 {
    let listed = workgroupUniformLoad(&candidates);
    return select(listed, VOCAB_SIZE, listed == 0u);
}

fn element_distance(i: u32, listed: bool) -> u32 {
    if listed {
        return candidate_distance[i];
    }
    return distance_of(i);
}

// The distance at which `wanted` of a measure is reached; FARTHEST if there is not as much.
fn reached_at(measure: u32, wanted: vec2u, lane: u32) -> u32 {
    var prefix = 0u;
    var lack = wanted;
    for (var level = 0u; level < 4u; level++) {
        let shift = 24u - 8u * level;
        atomicStore(&bin_low[lane], 0u);
        atomicStore(&bin_high[lane], 0u);
        let listed = workgroupUniformLoad(&candidates) != 0u;
        let count = elements();
        for (var i = lane; i < count; i += WORKGROUP_SIZE) {
            let distance = element_distance(i, listed);
            // A shift by all 32 bits is none, so the first level has no prefix to compare.
            if distance <= FARTHEST && (level == 0u || (distance >> (shift + 8u)) == prefix) {
                add_to_bin((distance >> shift) & 255u, measure, distance);
            }
        }
        workgroupBarrier();
        find_bin(lack, lane);
        let bin = workgroupUniformLoad(&found_bin);
        if bin == WORKGROUP_SIZE {
            return FARTHEST;
        }
        prefix = (prefix << 8u) | bin;
        lack = workgroupUniformLoad(&found_lack);
        if level == 0u && !listed {
            gather((bin << 24u) | 0xFFFFFFu, lane);
        }
    }
    return prefix;
}

fn add_to_bin(bin: u32, measure: u32, distance: u32) {
    let amount = select(weight(distance), 1u, measure == NUMBER);
    let before = atomicAdd(&bin_low[bin], amount);
    if before + amount < before {
        atomicAdd(&bin_high[bin], 1u);
    }
}

// exp(-distance) in parts of 2^-31.
fn weight(distance: u32) -> u32 {
    return u32(exp(-f32(distance) * DISTANCE_UNIT) * 2147483648.0);
}

// Finds the first bin up to which the sum is at least `lack`; WORKGROUP_SIZE if there is none.
fn find_bin(lack: vec2u, lane: u32) {
    let own = vec2u(atomicLoad(&bin_low[lane]), atomicLoad(&bin_high[lane]));
    if lane == 0u {
        found_bin = WORKGROUP_SIZE;
    }
    let up_to = sum_up_to(own, lane);
    let before = minus(up_to, own);
    if !less(up_to, lack) && less(before, lack) {
        found_bin = lane;
        found_lack = minus(lack, before);
    }
    workgroupBarrier();
}

// The sum of the values of all lanes up to this one.
fn sum_up_to(own: vec2u, lane: u32) -> vec2u {
    var sum = own;
    for (var stride = 1u; stride < WORKGROUP_SIZE; stride *= 2u) {
        sums[lane] = sum;
        workgroupBarrier();
        if lane >= stride {
            sum = plus(sum, sums[lane - stride]);
        }
        workgroupBarrier();
    }
    return sum;
}

// Lists the tokens up to a distance, if they are few enough. Their order differs from run to run, and nothing follows
// from it.
fn gather(farthest: u32, lane: u32) {
    if lane == 0u {
        atomicStore(&gathered, 0u);
    }
    workgroupBarrier();
    for (var i = lane; i < VOCAB_SIZE; i += WORKGROUP_SIZE) {
        let distance = distance_of(i);
        if distance <= farthest {
            let at = atomicAdd(&gathered, 1u);
            if at < CANDIDATES {
                candidate_distance[at] = distance;
                candidate_id[at] = i;
            }
        }
    }
    workgroupBarrier();
    if lane == 0u {
        let listed = atomicLoad(&gathered);
        candidates = select(0u, listed, listed <= CANDIDATES);
    }
}

// The mass of all tokens up to a distance.
fn mass_within(farthest: u32, lane: u32) -> vec2u {
    let listed = workgroupUniformLoad(&candidates) != 0u;
    let count = elements();
    var mass = vec2u(0u);
    for (var i = lane; i < count; i += WORKGROUP_SIZE) {
        let distance = element_distance(i, listed);
        if distance <= farthest {
            mass = plus(mass, vec2u(weight(distance), 0u));
        }
    }
    let total = sum_up_to(mass, lane);
    if lane == WORKGROUP_SIZE - 1u {
        found_lack = total;
    }
    return workgroupUniformLoad(&found_lack);
}

// `parts` of 2^-32 of `whole`, rounded up.
fn share(whole: vec2u, parts: u32) -> vec2u {
    let low = product(whole.x, parts);
    let rounded = plus(vec2u(low.y, 0u), vec2u(select(0u, 1u, low.x != 0u), 0u));
    return plus(product(whole.y, parts), rounded);
}

// Whole numbers of 64 bits, the low word first.

fn plus(a: vec2u, b: vec2u) -> vec2u {
    let low = a.x + b.x;
    return vec2u(low, a.y + b.y + select(0u, 1u, low < a.x));
}

fn minus(a: vec2u, b: vec2u) -> vec2u {
    return vec2u(a.x - b.x, a.y - b.y - select(0u, 1u, a.x < b.x));
}

fn less(a: vec2u, b: vec2u) -> bool {
    return a.y < b.y || (a.y == b.y && a.x < b.x);
}

fn product(a: u32, b: u32) -> vec2u {
    let low = (a & 0xFFFFu) * (b & 0xFFFFu);
    let first = (a >> 16u) * (b & 0xFFFFu);
    let second = (a & 0xFFFFu) * (b >> 16u);
    let high = vec2u(0u, (a >> 16u) * (b >> 16u));
    let middle = plus(vec2u(first << 16u, first >> 16u), vec2u(second << 16u, second >> 16u));
    return plus(plus(vec2u(low, 0u), middle), high);
}
