// Four rows of weights times one block of 32 activations, in bytes: the inner step of products of whole numbers.
// An activation is two bytes, the upper one worth 256 of the lower.
// `low_bytes` and `high_bytes` of a `quants_*.wgsl` give the quants of 16 columns each.

// [tokens, X_STRIDE], as quantize.wgsl writes it. A uniform: where the CPU stands for a GPU, a load from one costs a small
// part of what a load from storage does.
@group(1) @binding(2) var<uniform> x: array<vec4u, X_TOKENS * X_STRIDE>;

struct Block {
    // Of the first 16 columns, and of the others.
    low: Bytes,
    high: Bytes,
    scale: f32,
    // Sums of the quants of 16 columns each.
    low_sum: f32,
    high_sum: f32,
}

struct Bytes {
    upper: vec4u,
    lower: vec4u,
}

fn load_block(token: u32, block: u32) -> Block {
    let first = token * X_STRIDE + block * 5u;
    let rest = bitcast<vec4f>(x[first + 4u]);
    return Block(Bytes(x[first], x[first + 2u]), Bytes(x[first + 1u], x[first + 3u]), rest.x, rest.y, rest.z);
}

fn bytes_dot(weights: vec4u, x: Bytes) -> i32 {
    return 256 * dot16(weights, x.upper) + dot16(weights, x.lower);
}

fn dot16(a: vec4u, b: vec4u) -> i32 {
    return dot4I8Packed(a.x, b.x) + dot4I8Packed(a.y, b.y) + dot4I8Packed(a.z, b.z) + dot4I8Packed(a.w, b.w);
}

// Element r is the dot product of row r's block with `x`.
fn tile_dot(tile: Tile, x: Block) -> vec4f {
    let low = vec4i(
        bytes_dot(low_bytes(tile.rows[0]), x.low), bytes_dot(low_bytes(tile.rows[1]), x.low),
        bytes_dot(low_bytes(tile.rows[2]), x.low), bytes_dot(low_bytes(tile.rows[3]), x.low),
    );
    let high = vec4i(
        bytes_dot(high_bytes(tile.rows[0]), x.high), bytes_dot(high_bytes(tile.rows[1]), x.high),
        bytes_dot(high_bytes(tile.rows[2]), x.high), bytes_dot(high_bytes(tile.rows[3]), x.high),
    );
    return x.scale * scaled(tile.scales, vec4f(low), vec4f(high), x.low_sum, x.high_sum);
}
