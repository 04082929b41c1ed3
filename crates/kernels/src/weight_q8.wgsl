// 8-bit blocks of 32 with one scale: value = scale * q. Layout: weight.rs.

@group(1) @binding(0) var<storage, read> weights: array<vec4u>; // [rows, columns / 32, 2]: a word has 4 bytes
@group(1) @binding(1) var<storage, read> scales: array<vec2u>;  // [rows / 4, columns / 32]: 4 halves, one a row

struct Row {
    low: vec4u,
    high: vec4u,
}

struct Tile {
    rows: array<Row, 4>,
    scales: vec4f,
}

fn load_row(row: u32, block: u32) -> Row {
    let first = (row * BLOCKS + block) * 2u;
    return Row(weights[first], weights[first + 1u]);
}

fn load_tile(tile: u32, block: u32) -> Tile {
    let row = tile * 4u;
    let packed = scales[tile * BLOCKS + block];
    return Tile(
        array(load_row(row, block), load_row(row + 1u, block), load_row(row + 2u, block), load_row(row + 3u, block)),
        vec4f(unpack2x16float(packed.x), unpack2x16float(packed.y)),
    );
}

fn quad(row: Row, index: u32) -> vec4f {
    return vec4f(unpack4xI8(select(row.low, row.high, index > 3u)[index & 3u]));
}

fn scaled(tile: Tile, low: vec4f, high: vec4f, low_sum: f32, high_sum: f32) -> vec4f {
    return tile.scales * (low + high);
}
