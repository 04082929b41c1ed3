// Halves, two in a word. Layout: weight.rs.

@group(1) @binding(0) var<storage, read> weights: array<vec4u>; // [rows, columns / 32, 4]: a word has 2 halves
@group(1) @binding(1) var<storage, read> scales: array<u32>;    // none

struct Row {
    words: array<vec4u, 4>,
}

struct Tile {
    rows: array<Row, 4>,
}

fn load_row(row: u32, block: u32) -> Row {
    let first = (row * BLOCKS + block) * 4u;
    return Row(array(weights[first], weights[first + 1u], weights[first + 2u], weights[first + 3u]));
}

fn load_tile(tile: u32, block: u32) -> Tile {
    let row = tile * 4u;
    return Tile(
        array(load_row(row, block), load_row(row + 1u, block), load_row(row + 2u, block), load_row(row + 3u, block)),
    );
}

fn quad(row: Row, index: u32) -> vec4f {
    let words = row.words[index / 2u];
    let pair = select(words.xy, words.zw, (index & 1u) == 1u);
    return vec4f(unpack2x16float(pair.x), unpack2x16float(pair.y));
}

fn scaled(tile: Tile, low: vec4f, high: vec4f, low_sum: f32, high_sum: f32) -> vec4f {
    return low + high;
}
