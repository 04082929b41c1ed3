// Four rows of weights times one block of 32 activations: the inner step of most matrix products.
// Comes behind a `quants_*.wgsl` and a `scales_*.wgsl`, which say how a tile is packed: `quad` gives 4 quants of a row,
// `scaled` what a sum over quants comes to, `dequantized` what quants themselves do.

const ONES = vec4f(1.0);

struct Tile {
    rows: array<Row, 4>,
    scales: Scales,
}

fn load_tile(tile: u32, block: u32) -> Tile {
    let row = tile * 4u;
    return Tile(
        array(load_row(row, block), load_row(row + 1u, block), load_row(row + 2u, block), load_row(row + 3u, block)),
        load_scales(tile, block),
    );
}

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

// The weights of one quad of a row. `row` is counted in the whole matrix.
fn weight_quad(packed: Row, scales: Scales, row: u32, index: u32) -> vec4f {
    return dequantized(scales, row % 4u, index, quad(packed, index) * select(1.0, HIGH, index > 3u));
}
