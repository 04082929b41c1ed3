// 6-bit blocks as Q6_K has them: value = d * scale * (q - 32), `d` for 256 columns, `scale` (8 bits) for 16.
// Both scales are kept as they are: their product rounded to a half would cost accuracy. Layout: weight.rs.

@group(1) @binding(0) var<storage, read> weights: array<vec2u>; // [rows, columns / 32, 3]: nibbles, nibbles, top bits
@group(1) @binding(1) var<storage, read> scales: array<u32>;    // [rows / 4, columns / 256, 18]: 4 d, 8 * 2 * 4 scales

struct Row {
    nibbles: vec4u,
    tops: vec2u,
}

struct Tile {
    rows: array<Row, 4>,
    low: vec4f,
    high: vec4f,
}

fn load_row(row: u32, block: u32) -> Row {
    let first = (row * BLOCKS + block) * 3u;
    return Row(vec4u(weights[first], weights[first + 1u]), weights[first + 2u]);
}

fn load_tile(tile: u32, block: u32) -> Tile {
    let row = tile * 4u;
    let super_block = (tile * (BLOCKS / 8u) + block / 8u) * 18u;
    let d = vec4f(unpack2x16float(scales[super_block]), unpack2x16float(scales[super_block + 1u]));
    let pair = super_block + 2u + (block % 8u) * 2u;
    return Tile(
        array(load_row(row, block), load_row(row + 1u, block), load_row(row + 2u, block), load_row(row + 3u, block)),
        d * vec4f(unpack4xI8(scales[pair])),
        d * vec4f(unpack4xI8(scales[pair + 1u])),
    );
}

fn quad(row: Row, index: u32) -> vec4f {
    let nibbles = (row.nibbles[index & 3u] >> select(0u, 4u, index > 3u)) & 0x0F0F0F0Fu;
    let tops = (select(row.tops.x, row.tops.y, index > 3u) >> (2u * (index & 3u))) & 0x03030303u;
    return vec4f(unpack4xU8(nibbles | (tops << 4u)));
}

fn scaled(tile: Tile, low: vec4f, high: vec4f, low_sum: f32, high_sum: f32) -> vec4f {
    return tile.low * (low - 32.0 * low_sum) + tile.high * (high - 32.0 * high_sum);
}
