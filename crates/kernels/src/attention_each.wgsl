// Attention where barriers cost more than reading again: an invocation by itself takes a token's GROUP query heads of one
// kv head, at most 4, which share every read of K and V. It takes TURN positions a turn, whose scores are variables: an
// array would be memory to such a device. A vector of 4 has a value for each head. Online softmax is in base 2:
// SCALE = log2(e) / sqrt(head_dim). Another piece says which positions an invocation takes (`first_position`,
// `end_position`) and what becomes of its sums (`row_of_sums`, `end_head`).

@group(1) @binding(1) var<storage, read> keys: array<Quad>;         // kv.wgsl
@group(1) @binding(2) var<storage, read> values: array<Quad>;       // kv.wgsl

const TURN = 16u;
const LOWEST = -3.0e38;

@compute @workgroup_size(1, TOKENS_AT_ONCE, SPLITS_AT_ONCE)
fn main(@builtin(global_invocation_id) id: vec3u) {
    let kv_head = id.x * GROUP / HEADS_PER_KV;
    let first_head = FIRST_HEAD + id.x * GROUP;
    let token = id.y;
    let first_query = (token * HEADS + first_head) * QUADS;
    let row = row_of_sums(token, id.z);
    let first_sum = (row * HEADS + first_head) * QUADS;
    let first = first_position(id.z);
    let end = min(step.position + token + 1u, end_position(id.z));
    if token >= step.seq_len || first >= end {
        return;
    }
    var highest = vec4f(LOWEST);
    var total = vec4f(0.0);

    for (var start = first; start < end; start += TURN) {
        var s0 = masked(start, end);
        var s1 = masked(start + 1u, end);
        var s2 = masked(start + 2u, end);
        var s3 = masked(start + 3u, end);
        var s4 = masked(start + 4u, end);
        var s5 = masked(start + 5u, end);
        var s6 = masked(start + 6u, end);
        var s7 = masked(start + 7u, end);
        var s8 = masked(start + 8u, end);
        var s9 = masked(start + 9u, end);
        var s10 = masked(start + 10u, end);
        var s11 = masked(start + 11u, end);
        var s12 = masked(start + 12u, end);
        var s13 = masked(start + 13u, end);
        var s14 = masked(start + 14u, end);
        var s15 = masked(start + 15u, end);
        for (var quad = 0u; quad < QUADS; quad++) {
            let queries = mat4x4f(
                query(first_query, 0u, quad),
                query(first_query, 1u, quad),
                query(first_query, 2u, quad),
                query(first_query, 3u, quad),
            );
            let at = key_at(kv_head, start, quad);
            let scale_at = key_scale_at(kv_head, start, quad / SPAN);
            s0 += key(at, scale_at) * queries;
            s1 += key(at + 1u, scale_at + 1u) * queries;
            s2 += key(at + 2u, scale_at + 2u) * queries;
            s3 += key(at + 3u, scale_at + 3u) * queries;
            s4 += key(at + 4u, scale_at + 4u) * queries;
            s5 += key(at + 5u, scale_at + 5u) * queries;
            s6 += key(at + 6u, scale_at + 6u) * queries;
            s7 += key(at + 7u, scale_at + 7u) * queries;
            s8 += key(at + 8u, scale_at + 8u) * queries;
            s9 += key(at + 9u, scale_at + 9u) * queries;
            s10 += key(at + 10u, scale_at + 10u) * queries;
            s11 += key(at + 11u, scale_at + 11u) * queries;
            s12 += key(at + 12u, scale_at + 12u) * queries;
            s13 += key(at + 13u, scale_at + 13u) * queries;
            s14 += key(at + 14u, scale_at + 14u) * queries;
            s15 += key(at + 15u, scale_at + 15u) * queries;
        }

        let low_most = max(max(max(s0, s1), max(s2, s3)), max(max(s4, s5), max(s6, s7)));
        let high_most = max(max(max(s8, s9), max(s10, s11)), max(max(s12, s13), max(s14, s15)));
        let most = max(highest, max(low_most, high_most));
        let correction = exp2(highest - most);
        s0 = exp2(s0 - most);
        s1 = exp2(s1 - most);
        s2 = exp2(s2 - most);
        s3 = exp2(s3 - most);
        s4 = exp2(s4 - most);
        s5 = exp2(s5 - most);
        s6 = exp2(s6 - most);
        s7 = exp2(s7 - most);
        s8 = exp2(s8 - most);
        s9 = exp2(s9 - most);
        s10 = exp2(s10 - most);
        s11 = exp2(s11 - most);
        s12 = exp2(s12 - most);
        s13 = exp2(s13 - most);
        s14 = exp2(s14 - most);
        s15 = exp2(s15 - most);
        let low_sum = ((s0 + s1) + (s2 + s3)) + ((s4 + s5) + (s6 + s7));
        let high_sum = ((s8 + s9) + (s10 + s11)) + ((s12 + s13) + (s14 + s15));
        total = total * correction + (low_sum + high_sum);
        highest = most;

        for (var quad = 0u; quad < QUADS; quad++) {
            let at = value_at(kv_head, start, quad);
            let scale_at = value_scale_at(kv_head, start, quad / SPAN);
            // A column for each head.
            var sums = outer(value(at, scale_at), s0);
            sums += outer(value(at + QUADS, scale_at + SPANS), s1);
            sums += outer(value(at + 2u * QUADS, scale_at + 2u * SPANS), s2);
            sums += outer(value(at + 3u * QUADS, scale_at + 3u * SPANS), s3);
            sums += outer(value(at + 4u * QUADS, scale_at + 4u * SPANS), s4);
            sums += outer(value(at + 5u * QUADS, scale_at + 5u * SPANS), s5);
            sums += outer(value(at + 6u * QUADS, scale_at + 6u * SPANS), s6);
            sums += outer(value(at + 7u * QUADS, scale_at + 7u * SPANS), s7);
            sums += outer(value(at + 8u * QUADS, scale_at + 8u * SPANS), s8);
            sums += outer(value(at + 9u * QUADS, scale_at + 9u * SPANS), s9);
            sums += outer(value(at + 10u * QUADS, scale_at + 10u * SPANS), s10);
            sums += outer(value(at + 11u * QUADS, scale_at + 11u * SPANS), s11);
            sums += outer(value(at + 12u * QUADS, scale_at + 12u * SPANS), s12);
            sums += outer(value(at + 13u * QUADS, scale_at + 13u * SPANS), s13);
            sums += outer(value(at + 14u * QUADS, scale_at + 14u * SPANS), s14);
            sums += outer(value(at + 15u * QUADS, scale_at + 15u * SPANS), s15);
            put(0u, first_sum + quad, sums[0], correction.x, start == first);
            put(1u, first_sum + quad, sums[1], correction.y, start == first);
            put(2u, first_sum + quad, sums[2], correction.z, start == first);
            put(3u, first_sum + quad, sums[3], correction.w, start == first);
        }
    }

    for (var head = 0u; head < GROUP; head++) {
        end_head(row, first_head + head, highest[head], total[head]);
    }
}

// What a position's scores begin with: those past the end come to weights of zero, and what lies in the cache there
// are numbers.
fn masked(position: u32, end: u32) -> vec4f {
    return vec4f(select(LOWEST, 0.0, position < end));
}

fn query(first_query: u32, head: u32, quad: u32) -> vec4f {
    if head >= GROUP {
        return vec4f(0.0);
    }
    return q[first_query + head * QUADS + quad] * SCALE;
}

fn key(at: u32, scale_at: u32) -> vec4f {
    if HAS_SCALES {
        return unpack_scale(keys[scale_at]) * unpack_quad(keys[at]);
    }
    return unpack_quad(keys[at]);
}

fn value(at: u32, scale_at: u32) -> vec4f {
    if HAS_SCALES {
        return unpack_scale(values[scale_at]) * unpack_quad(values[at]);
    }
    return unpack_quad(values[at]);
}

fn outer(value: vec4f, weights: vec4f) -> mat4x4f {
    return mat4x4f(value * weights.x, value * weights.y, value * weights.z, value * weights.w);
}

// Adds to what a head's sums were before this turn.
fn put(head: u32, at: u32, sum: vec4f, correction: f32, is_first: bool) {
    if head >= GROUP {
        return;
    }
    let out = at + head * QUADS;
    if is_first {
        sums_of[out] = sum;
    } else {
        sums_of[out] = sums_of[out] * correction + sum;
    }
}
