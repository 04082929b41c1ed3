// Four rows of weights times one block of 32 activations, in floats: the inner step of most matrix products.

@group(1) @binding(2) var<storage, read> x: array<vec4f>; // [tokens, columns]

const ONES = vec4f(1.0);

// Element r is the dot product of row r's quad `index` with `x`.
fn quads_dot(tile: Tile, index: u32, x: vec4f) -> vec4f {
    return x * mat4x4f(
        quad(tile.rows[0], index), quad(tile.rows[1], index), quad(tile.rows[2], index), quad(tile.rows[3], index),
    );
}

// Activations of one block, in quads of 4.
struct Block {
    q0: vec4f, q1: vec4f, q2: vec4f, q3: vec4f,
    q4: vec4f, q5: vec4f, q6: vec4f, q7: vec4f,
}

// Element r is the dot product of row r's block with `x`.
fn tile_dot(tile: Tile, x: Block) -> vec4f {
    let low = quads_dot(tile, 0u, x.q0) + quads_dot(tile, 1u, x.q1) + quads_dot(tile, 2u, x.q2) + quads_dot(tile, 3u, x.q3);
    let high = quads_dot(tile, 4u, x.q4) + quads_dot(tile, 5u, x.q5) + quads_dot(tile, 6u, x.q6) + quads_dot(tile, 7u, x.q7);
    let low_sum = dot(x.q0 + x.q1 + x.q2 + x.q3, ONES);
    let high_sum = dot(x.q4 + x.q5 + x.q6 + x.q7, ONES);
    return scaled(tile.scales, low, high * HIGH, low_sum, high_sum);
}

fn load_block(token: u32, block: u32) -> Block {
    let first = (token * BLOCKS + block) * 8u;
    return Block(
        x[first], x[first + 1u], x[first + 2u], x[first + 3u],
        x[first + 4u], x[first + 5u], x[first + 6u], x[first + 7u],
    );
}
