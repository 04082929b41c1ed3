// out = softmax(q Kᵀ / sqrt(head_dim)) V, causal. A workgroup takes one token and GROUP query heads of one kv head,
// which share every read of K and V. It walks the cache in tiles of 64 positions with a running maximum and sum
// (online softmax), in base 2: SCALE = log2(e) / sqrt(head_dim).
// A cache may lie in several parts, by kv heads. Each dispatch computes the query heads of one part, from FIRST_HEAD on.
// Another piece says which positions a workgroup takes (`first_position`, `end_position`) and where its sums go (`put`).

@group(1) @binding(0) var<storage, read> q: array<vec4f>;           // [seq_len, heads * head_dim]
@group(1) @binding(1) var<storage, read> keys: array<Quad>;         // kv.wgsl
@group(1) @binding(2) var<storage, read> values: array<Quad>;       // kv.wgsl

const TILE = 64u; // Positions a turn, and invocations a workgroup.
const OUTPUTS = GROUP * QUADS;
const OUTPUTS_PER_LANE = (OUTPUTS + TILE - 1u) / TILE;
const LOWEST = -3.0e38;

// Positions in one turn of a loop. It is more than one for lavapipe's sake (Mesa's LP_MAX_TGSI_LOOP_ITERATIONS): there
// all loops of an invocation together end after 65,535 turns, silently.
const STRIDE = 16u;
const QUAD_STRIDE = select(1u, 4u, QUADS % 4u == 0u);

var<workgroup> queries: array<vec4f, OUTPUTS>;
var<workgroup> scores: array<array<f32, TILE>, GROUP>;
var<workgroup> highest: array<f32, GROUP>;
var<workgroup> total: array<f32, GROUP>;
var<workgroup> correction: array<f32, GROUP>;

@compute @workgroup_size(TILE)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let kv_head = group.x * GROUP / HEADS_PER_KV;
    let token = group.y;
    let first_output = (token * HEADS + FIRST_HEAD) * QUADS + group.x * OUTPUTS;
    let kv_len = min(step.position + token + 1u, end_position(group.z));

    for (var i = lane; i < OUTPUTS; i += TILE) {
        queries[i] = q[first_output + i] * SCALE;
    }
    if lane < GROUP {
        highest[lane] = LOWEST;
        total[lane] = 0.0;
    }
    var sums: array<vec4f, OUTPUTS_PER_LANE>;
    for (var j = 0u; j < OUTPUTS_PER_LANE; j++) {
        sums[j] = vec4f(0.0);
    }
    workgroupBarrier();

    for (var start = first_position(group.z); start < kv_len; start += TILE) {
        score(kv_head, start + lane, kv_len, lane);
        workgroupBarrier();
        if lane < GROUP {
            soften(lane);
        }
        workgroupBarrier();
        let count = min(TILE, kv_len - start);
        for (var j = 0u; j < OUTPUTS_PER_LANE; j++) {
            let output = lane + j * TILE;
            if output < OUTPUTS {
                let head = output / QUADS;
                var sum = sums[j] * correction[head];
                for (var i = 0u; i < count; i += STRIDE) {
                    sum += four_weighted(kv_head, start, i, output);
                    sum += four_weighted(kv_head, start, i + 4u, output);
                    sum += four_weighted(kv_head, start, i + 8u, output);
                    sum += four_weighted(kv_head, start, i + 12u, output);
                }
                sums[j] = sum;
            }
        }
        workgroupBarrier();
    }

    for (var j = 0u; j < OUTPUTS_PER_LANE; j++) {
        let output = lane + j * TILE;
        if output < OUTPUTS {
            put(group.z, first_output + output, sums[j], output / QUADS);
        }
    }
}

// One position against all query heads of the group.
fn score(kv_head: u32, position: u32, kv_len: u32, lane: u32) {
    var sums: array<f32, GROUP>;
    for (var head = 0u; head < GROUP; head++) {
        sums[head] = select(LOWEST, 0.0, position < kv_len);
    }
    if position < kv_len {
        for (var quad = 0u; quad < QUADS; quad += QUAD_STRIDE) {
            score_quad(kv_head, position, quad, &sums);
            if QUAD_STRIDE == 4u {
                score_quad(kv_head, position, quad + 1u, &sums);
                score_quad(kv_head, position, quad + 2u, &sums);
                score_quad(kv_head, position, quad + 3u, &sums);
            }
        }
    }
    for (var head = 0u; head < GROUP; head++) {
        scores[head][lane] = sums[head];
    }
}

fn score_quad(kv_head: u32, position: u32, quad: u32, sums: ptr<function, array<f32, GROUP>>) {
    let key = key_scale(kv_head, position, quad / SPAN) * unpack_quad(keys[key_at(kv_head, position, quad)]);
    for (var head = 0u; head < GROUP; head++) {
        (*sums)[head] += dot(key, queries[head * QUADS + quad]);
    }
}

fn key_scale(kv_head: u32, position: u32, span: u32) -> f32 {
    if HAS_SCALES {
        return unpack_scale(keys[key_scale_at(kv_head, position, span)]);
    }
    return 1.0;
}

fn value_scale(kv_head: u32, position: u32, span: u32) -> f32 {
    if HAS_SCALES {
        return unpack_scale(values[value_scale_at(kv_head, position, span)]);
    }
    return 1.0;
}

fn four_weighted(kv_head: u32, start: u32, i: u32, output: u32) -> vec4f {
    return weighted(kv_head, start, i, output) + weighted(kv_head, start, i + 1u, output)
        + weighted(kv_head, start, i + 2u, output) + weighted(kv_head, start, i + 3u, output);
}

// A position's value as it counts in an output. Positions past the end of a tile's count for nothing: their weights
// are zero, and what lies in the cache there are numbers.
fn weighted(kv_head: u32, start: u32, i: u32, output: u32) -> vec4f {
    let quad = output % QUADS;
    let value = unpack_quad(values[value_at(kv_head, start + i, quad)]);
    return scores[output / QUADS][i] * value_scale(kv_head, start + i, quad / SPAN) * value;
}

// Turns one head's scores into weights, and carries its maximum and sum on.
fn soften(head: u32) {
    var most = vec4f(highest[head]);
    for (var i = 0u; i < TILE; i += STRIDE) {
        let first = max(four_scores(head, i), four_scores(head, i + 4u));
        most = max(most, max(first, max(four_scores(head, i + 8u), four_scores(head, i + 12u))));
    }
    soften_to(head, max(max(most.x, most.y), max(most.z, most.w)));
}

fn soften_to(head: u32, most: f32) {
    var sums = vec4f(0.0);
    for (var i = 0u; i < TILE; i += STRIDE) {
        sums += four_weights(head, i, most) + four_weights(head, i + 4u, most);
        sums += four_weights(head, i + 8u, most) + four_weights(head, i + 12u, most);
    }
    let sum = (sums.x + sums.y) + (sums.z + sums.w);
    correction[head] = exp2(highest[head] - most);
    total[head] = total[head] * correction[head] + sum;
    highest[head] = most;
}

fn four_scores(head: u32, i: u32) -> vec4f {
    return vec4f(scores[head][i], scores[head][i + 1u], scores[head][i + 2u], scores[head][i + 3u]);
}

fn four_weights(head: u32, i: u32, most: f32) -> vec4f {
    let weights = exp2(four_scores(head, i) - most);
    scores[head][i] = weights.x;
    scores[head][i + 1u] = weights.y;
    scores[head][i + 2u] = weights.z;
    scores[head][i + 3u] = weights.w;
    return weights;
}
