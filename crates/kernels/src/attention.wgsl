// out = softmax(q Kᵀ / sqrt(head_dim)) V, causal. A workgroup takes one token and GROUP query heads of one kv head,
// which share every read of K and V. It walks the cache in tiles of 64 positions with a running maximum and sum
// (online softmax), in base 2: SCALE = log2(e) / sqrt(head_dim).

@group(1) @binding(0) var<storage, read> q: array<vec4f>;           // [seq_len, heads * head_dim]
@group(1) @binding(1) var<storage, read> keys: array<Quad>;         // kv.wgsl
@group(1) @binding(2) var<storage, read> values: array<Quad>;       // kv.wgsl
@group(1) @binding(3) var<storage, read_write> out: array<vec4f>;   // [seq_len, heads * head_dim]

const TILE = 64u; // Positions a turn, and invocations a workgroup.
const OUTPUTS = GROUP * QUADS;
const OUTPUTS_PER_LANE = (OUTPUTS + TILE - 1u) / TILE;
const LOWEST = -3.0e38;

var<workgroup> queries: array<vec4f, OUTPUTS>;
var<workgroup> scores: array<array<f32, TILE>, GROUP>;
var<workgroup> highest: array<f32, GROUP>;
var<workgroup> total: array<f32, GROUP>;
var<workgroup> correction: array<f32, GROUP>;

@compute @workgroup_size(TILE)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let kv_head = group.x * GROUP / HEADS_PER_KV;
    let token = group.y;
    let first_output = token * HEADS * QUADS + group.x * OUTPUTS;
    let kv_len = step.position + token + 1u;

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

    for (var start = 0u; start < kv_len; start += TILE) {
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
                for (var i = 0u; i < count; i++) {
                    sum += scores[head][i] * unpack_quad(values[value_at(kv_head, start + i, output % QUADS)]);
                }
                sums[j] = sum;
            }
        }
        workgroupBarrier();
    }

    for (var j = 0u; j < OUTPUTS_PER_LANE; j++) {
        let output = lane + j * TILE;
        if output < OUTPUTS {
            out[first_output + output] = sums[j] / total[output / QUADS];
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
        for (var quad = 0u; quad < QUADS; quad++) {
            let key = unpack_quad(keys[key_at(kv_head, position, quad)]);
            for (var head = 0u; head < GROUP; head++) {
                sums[head] += dot(key, queries[head * QUADS + quad]);
            }
        }
    }
    for (var head = 0u; head < GROUP; head++) {
        scores[head][lane] = sums[head];
    }
}

// Turns one head's scores into weights, and carries its maximum and sum on.
fn soften(head: u32) {
    var most = highest[head];
    for (var i = 0u; i < TILE; i++) {
        most = max(most, scores[head][i]);
    }
    var sum = 0.0;
    for (var i = 0u; i < TILE; i++) {
        let weight = exp2(scores[head][i] - most);
        scores[head][i] = weight;
        sum += weight;
    }
    correction[head] = exp2(highest[head] - most);
    total[head] = total[head] * correction[head] + sum;
    highest[head] = most;
}
