// Turns q and k by their position, and puts k and v into the KV cache. One invocation takes a span: SPAN times 4 values.
// A few columns of k are far larger than the others, and so are those of q: rounded to bytes, they alone would spoil the
// scores. So where there are scales, q and k go through a Hadamard transform, which spreads each column over others.
// It is orthogonal: scores stay what they are, and nobody else needs to know.
// A cache may lie in several parts. Each dispatch writes one of them; the first turns q, too.

@group(1) @binding(0) var<storage, read> qkv: array<vec4f>;         // [seq_len, (HEADS + 2 ALL_KV_HEADS) * head_dim]
@group(1) @binding(1) var<storage, read> turns: array<vec4f>;       // [seq_len, head_dim / 2] of (cos, sin)
@group(1) @binding(2) var<storage, read_write> q: array<vec4f>;     // [seq_len, HEADS * head_dim]
@group(1) @binding(3) var<storage, read_write> keys: array<Quad>;   // kv.wgsl
@group(1) @binding(4) var<storage, read_write> values: array<Quad>; // kv.wgsl

const Q_QUADS = HEADS * QUADS;
const TURNED_QUADS = TURNED_HEADS * QUADS; // Of q, by this dispatch: all or none.
const KV_QUADS = KV_HEADS * QUADS;         // Of this part.
const ROW_QUADS = Q_QUADS + 2u * ALL_KV_HEADS * QUADS;
const SPREAD = SPAN & (~SPAN + 1u);        // The largest power of two that divides a span.
const FIRST_KEY = Q_QUADS + FIRST_KV_HEAD * QUADS;
const FIRST_VALUE = FIRST_KEY + ALL_KV_HEADS * QUADS;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(@builtin(global_invocation_id) id: vec3u) {
    let column = id.x * SPAN;
    let token = id.y;
    if column < TURNED_QUADS {
        let span = turned_span(token, column);
        for (var i = 0u; i < SPAN; i++) {
            q[token * Q_QUADS + column + i] = span[i];
        }
    } else if column < TURNED_QUADS + KV_QUADS {
        keep_keys(token, column - TURNED_QUADS);
    } else if column < TURNED_QUADS + 2u * KV_QUADS {
        keep_values(token, column - TURNED_QUADS - KV_QUADS);
    }
}

fn keep_keys(token: u32, first: u32) {
    let span = turned_span(token, FIRST_KEY + first);
    let scale = scale_of(span);
    let position = step.position + token;
    for (var i = 0u; i < SPAN; i++) {
        keys[key_at(first / QUADS, position, first % QUADS + i)] = pack_quad(span[i] / scale);
    }
    if HAS_SCALES {
        keys[key_scale_at(first / QUADS, position, first % QUADS / SPAN)] = pack_scale(scale);
    }
}

fn keep_values(token: u32, first: u32) {
    var span: array<vec4f, SPAN>;
    for (var i = 0u; i < SPAN; i++) {
        span[i] = qkv[token * ROW_QUADS + FIRST_VALUE + first + i];
    }
    let scale = scale_of(span);
    let position = step.position + token;
    for (var i = 0u; i < SPAN; i++) {
        values[value_at(first / QUADS, position, first % QUADS + i)] = pack_quad(span[i] / scale);
    }
    if HAS_SCALES {
        values[value_scale_at(first / QUADS, position, first % QUADS / SPAN)] = pack_scale(scale);
    }
}

// The largest magnitude of a span; 1 where nothing is scaled, or where all are zero.
fn scale_of(values: array<vec4f, SPAN>) -> f32 {
    var span = values;
    var largest = vec4f(0.0);
    for (var i = 0u; i < SPAN; i++) {
        largest = max(largest, abs(span[i]));
    }
    let scale = max(max(largest.x, largest.y), max(largest.z, largest.w));
    return select(1.0, scale, HAS_SCALES && scale > 0.0);
}

// A span of q or of k, as attention wants both of them.
fn turned_span(token: u32, column: u32) -> array<vec4f, SPAN> {
    var span: array<vec4f, SPAN>;
    for (var i = 0u; i < SPAN; i++) {
        span[i] = turned(token, column + i);
    }
    if HAS_SCALES {
        return spread(span);
    }
    return span;
}

// The Hadamard transform of each 4 * SPREAD values.
fn spread(values: array<vec4f, SPAN>) -> array<vec4f, SPAN> {
    var span = values;
    for (var i = 0u; i < SPAN; i++) {
        let pairs = vec4f(span[i].xz + span[i].yw, span[i].xz - span[i].yw);
        span[i] = vec4f(pairs.xz + pairs.yw, pairs.xz - pairs.yw) * inverseSqrt(f32(4u * SPREAD));
    }
    for (var stride = 1u; stride < SPREAD; stride *= 2u) {
        for (var i = 0u; i < SPAN; i++) {
            if (i & stride) == 0u {
                let a = span[i];
                let b = span[i + stride];
                span[i] = a + b;
                span[i + stride] = a - b;
            }
        }
    }
    return span;
}

fn turned(token: u32, column: u32) -> vec4f {
    return turn(qkv[token * ROW_QUADS + column], turns[token * QUADS + column % QUADS]);
}
