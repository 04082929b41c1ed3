// Turns q and k by their position, and puts k and v into the KV cache. One invocation takes 4 values: two pairs.
// Pairs are adjacent, as in GGUF and Meta's own files: (x0, x1) -> (x0 cos - x1 sin, x0 sin + x1 cos).

@group(1) @binding(0) var<storage, read> qkv: array<vec4f>;         // [seq_len, (heads + 2 kv_heads) * head_dim]
@group(1) @binding(1) var<storage, read> turns: array<vec4f>;       // [seq_len, head_dim / 2] of (cos, sin)
@group(1) @binding(2) var<storage, read_write> q: array<vec4f>;     // [seq_len, heads * head_dim]
@group(1) @binding(3) var<storage, read_write> keys: array<Quad>;   // kv.wgsl
@group(1) @binding(4) var<storage, read_write> values: array<Quad>; // kv.wgsl

const Q_QUADS = HEADS * QUADS;
const KV_QUADS = KV_HEADS * QUADS;
const ROW_QUADS = Q_QUADS + 2u * KV_QUADS;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(@builtin(global_invocation_id) id: vec3u) {
    let column = id.x;
    let token = id.y;
    if column >= ROW_QUADS {
        return;
    }
    let quad = column % QUADS;
    let position = step.position + token;
    let x = qkv[token * ROW_QUADS + column];
    let turned = turn(x, turns[token * QUADS + quad]);
    if column < Q_QUADS {
        q[token * Q_QUADS + column] = turned;
    } else if column < Q_QUADS + KV_QUADS {
        keys[key_at((column - Q_QUADS) / QUADS, position, quad)] = pack_quad(turned);
    } else {
        values[value_at((column - Q_QUADS - KV_QUADS) / QUADS, position, quad)] = pack_quad(x);
    }
}

// `by` is (cos, sin) of the first pair, then of the second.
fn turn(x: vec4f, by: vec4f) -> vec4f {
    return vec4f(
        x.x * by.x - x.y * by.y,
        x.x * by.y + x.y * by.x,
        x.z * by.z - x.w * by.w,
        x.z * by.w + x.w * by.z,
    );
}
