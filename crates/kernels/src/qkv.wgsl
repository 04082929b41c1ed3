// q, k and v of one token. A tile of 4 rows is two pairs of one head: q is turned by its position and stored, k is turned
// and goes to the KV cache, v goes there as it is.

@group(1) @binding(OUT) var<storage, read> turns: array<vec4f>;            // [chunk, head_dim / 2] of (cos, sin)
@group(1) @binding(OUT + 1u) var<storage, read_write> q: array<vec4f>;     // [chunk, HEADS * head_dim]
@group(1) @binding(OUT + 2u) var<storage, read_write> keys: array<Quad>;   // kv.wgsl
@group(1) @binding(OUT + 3u) var<storage, read_write> values: array<Quad>; // kv.wgsl

const Q_QUADS = HEADS * QUADS;
const KV_QUADS = KV_HEADS * QUADS;

fn store_tile(tile: u32, y: Sum) {
    let quad = OUT_TILE + tile;
    if quad < Q_QUADS {
        q[quad] = turn(y, turns[quad % QUADS]);
    } else if quad < Q_QUADS + KV_QUADS {
        let key = quad - Q_QUADS;
        keys[key_at(key / QUADS, step.position, key % QUADS)] = pack_quad(turn(y, turns[key % QUADS]));
    } else {
        let value = quad - Q_QUADS - KV_QUADS;
        values[value_at(value / QUADS, step.position, value % QUADS)] = pack_quad(y);
    }
}
