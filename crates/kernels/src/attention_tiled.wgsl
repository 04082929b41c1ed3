// out = softmax(q Kᵀ / sqrt(head_dim)) V, causal, for many tokens. A workgroup takes GROUP query heads of one kv head and
// TOKENS tokens: at most 32 rows of q, which share every read of K and V. It walks the cache in tiles of 64 positions
// with a running maximum and sum (online softmax), in base 2: SCALE = log2(e) / sqrt(head_dim).
// Lanes are 8 by 8: each takes 4 rows, and of a tile every eighth position, then of the outputs every eighth quad.
// A vector of 4 has a value for each row.

@group(1) @binding(0) var<storage, read> q: array<vec4f>;           // [seq_len, heads * head_dim]
@group(1) @binding(1) var<storage, read> keys: array<Quad>;         // kv.wgsl
@group(1) @binding(2) var<storage, read> values: array<Quad>;       // kv.wgsl
@group(1) @binding(3) var<storage, read_write> out: array<vec4f>;   // [seq_len, heads * head_dim]

const SIDE = 8u;
const LANES = SIDE * SIDE;
const TILE = 64u;
const KEYS = TILE / SIDE;
const QUADS_PER_LANE = (QUADS + SIDE - 1u) / SIDE;
const LOWEST = -3.0e38;

// Quads, and positions, in one turn of a loop: more than one for lavapipe's sake, as in attention.wgsl.
const QUAD_STRIDE = select(1u, 4u, QUADS % 4u == 0u);
const STRIDE = 8u;

// Rows of weights are one vector apart from where banks of memory repeat.
const PITCH = SIDE + 1u;

var<workgroup> weights: array<vec4f, TILE * PITCH>; // [position, rows / 4]
var<workgroup> shared_by_lanes: array<vec4f, LANES>; // [rows / 4, lane] the highest score, or the sum, of each lane

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) index: u32) {
    let kv_head = group.x * GROUP / HEADS_PER_KV;
    let rows = index / SIDE;
    let lane = index % SIDE;
    let first_token = group.y * TOKENS;
    let token = min(vec4u(first_token) + token_of(rows), vec4u(step.seq_len - 1u));
    let first = (token * HEADS + FIRST_HEAD + group.x * GROUP + head_of(rows)) * QUADS;
    let kv_len = step.position + token + 1u;
    let end = step.position + min(first_token + TOKENS, step.seq_len);

    var highest = vec4f(LOWEST);
    var total = vec4f(0.0); // Of this lane's positions.
    var sums: array<mat4x4f, QUADS_PER_LANE>; // A column for each row.
    for (var start = 0u; start < end; start += TILE) {
        var scores = score(kv_head, start + lane, first, kv_len);
        var most = scores[0];
        for (var j = 1u; j < KEYS; j++) {
            most = max(most, scores[j]);
        }
        shared_by_lanes[index] = most;
        workgroupBarrier();
        most = highest;
        for (var other = 0u; other < SIDE; other++) {
            most = max(most, shared_by_lanes[rows * SIDE + other]);
        }
        let correction = exp2(highest - most);
        highest = most;
        total *= correction;
        for (var j = 0u; j < KEYS; j++) {
            let weight = exp2(scores[j] - most);
            total += weight;
            weights[(lane + j * SIDE) * PITCH + rows] = weight;
        }
        workgroupBarrier();
        for (var j = 0u; j < QUADS_PER_LANE; j++) {
            sums[j] = columns_by(sums[j], correction);
        }
        // Those behind the end of a tile's count for nothing: their weights are zero.
        for (var i = 0u; i < min(TILE, end - start); i += STRIDE) {
            weigh(kv_head, start, i, rows, lane, &sums);
            weigh(kv_head, start, i + 1u, rows, lane, &sums);
            weigh(kv_head, start, i + 2u, rows, lane, &sums);
            weigh(kv_head, start, i + 3u, rows, lane, &sums);
            weigh(kv_head, start, i + 4u, rows, lane, &sums);
            weigh(kv_head, start, i + 5u, rows, lane, &sums);
            weigh(kv_head, start, i + 6u, rows, lane, &sums);
            weigh(kv_head, start, i + 7u, rows, lane, &sums);
        }
    }

    shared_by_lanes[index] = total;
    workgroupBarrier();
    total = vec4f(0.0);
    for (var other = 0u; other < SIDE; other++) {
        total += shared_by_lanes[rows * SIDE + other];
    }
    for (var j = 0u; j < QUADS_PER_LANE; j++) {
        let quad = lane + j * SIDE;
        if quad < QUADS {
            put(rows, 0u, first_token, first.x + quad, sums[j][0] / total.x);
            put(rows, 1u, first_token, first.y + quad, sums[j][1] / total.y);
            put(rows, 2u, first_token, first.z + quad, sums[j][2] / total.z);
            put(rows, 3u, first_token, first.w + quad, sums[j][3] / total.w);
        }
    }
}

// Of 4 rows, which token they are of. Rows past the last are the last one's again.
fn token_of(rows: u32) -> vec4u {
    return row_of(rows) / GROUP;
}

fn head_of(rows: u32) -> vec4u {
    return row_of(rows) % GROUP;
}

fn row_of(rows: u32) -> vec4u {
    return min(4u * rows + vec4u(0u, 1u, 2u, 3u), vec4u(TOKENS * GROUP - 1u));
}

// A lane's positions of a tile against its rows.
fn score(kv_head: u32, position: u32, first: vec4u, kv_len: vec4u) -> array<vec4f, KEYS> {
    var scores: array<vec4f, KEYS>;
    for (var quad = 0u; quad < QUADS; quad += QUAD_STRIDE) {
        score_quad(kv_head, position, first, quad, &scores);
        if QUAD_STRIDE == 4u {
            score_quad(kv_head, position, first, quad + 1u, &scores);
            score_quad(kv_head, position, first, quad + 2u, &scores);
            score_quad(kv_head, position, first, quad + 3u, &scores);
        }
    }
    for (var j = 0u; j < KEYS; j++) {
        let is_seen = vec4u(position + j * SIDE) < kv_len;
        scores[j] = select(vec4f(LOWEST), scores[j] * SCALE, is_seen);
    }
    return scores;
}

fn score_quad(kv_head: u32, position: u32, first: vec4u, quad: u32, scores: ptr<function, array<vec4f, KEYS>>) {
    let at = first + quad;
    let queries = mat4x4f(q[at.x], q[at.y], q[at.z], q[at.w]);
    for (var j = 0u; j < KEYS; j++) {
        (*scores)[j] += key(kv_head, position + j * SIDE, quad) * queries;
    }
}

// What a position's values are to a lane's outputs.
fn weigh(
    kv_head: u32,
    start: u32,
    i: u32,
    rows: u32,
    lane: u32,
    sums: ptr<function, array<mat4x4f, QUADS_PER_LANE>>,
) {
    let weight = weights[i * PITCH + rows];
    for (var j = 0u; j < QUADS_PER_LANE; j++) {
        (*sums)[j] += outer(value(kv_head, start + i, lane + j * SIDE), weight);
    }
}

fn key(kv_head: u32, position: u32, quad: u32) -> vec4f {
    let key = unpack_quad(keys[key_at(kv_head, position, quad)]);
    if HAS_SCALES {
        return unpack_scale(keys[key_scale_at(kv_head, position, quad / SPAN)]) * key;
    }
    return key;
}

// Quads behind the last are the last one again.
fn value(kv_head: u32, position: u32, lane_quad: u32) -> vec4f {
    let quad = min(lane_quad, QUADS - 1u);
    let value = unpack_quad(values[value_at(kv_head, position, quad)]);
    if HAS_SCALES {
        return unpack_scale(values[value_scale_at(kv_head, position, quad / SPAN)]) * value;
    }
    return value;
}

fn outer(value: vec4f, weights: vec4f) -> mat4x4f {
    return mat4x4f(value * weights.x, value * weights.y, value * weights.z, value * weights.w);
}

fn columns_by(sums: mat4x4f, factors: vec4f) -> mat4x4f {
    return mat4x4f(sums[0] * factors.x, sums[1] * factors.y, sums[2] * factors.z, sums[3] * factors.w);
}

fn put(rows: u32, row: u32, first_token: u32, at: u32, result: vec4f) {
    let is_one = 4u * rows + row < TOKENS * GROUP;
    if is_one && first_token + (4u * rows + row) / GROUP < step.seq_len {
        out[at] = result;
    }
}
