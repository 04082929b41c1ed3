// Plain f32. Layout: weight.rs.

@group(1) @binding(0) var<storage, read> weights: array<vec4f>; // [rows, columns / 4]
@group(1) @binding(1) var<storage, read> scales: array<u32>;    // none

struct Row {
    quads: array<vec4f, 8>,
}

struct Tile {
    rows: array<Row, 4>,
}

fn load_row(row: u32, block: u32) -> Row {
    let first = (row * BLOCKS + block) * 8u;
    return Row(array(
        weights[first], weights[first + 1u], weights[first + 2u], weights[first + 3u],
        weights[first + 4u], weights[first + 5u], weights[first + 6u], weights[first + 7u],
    ));
}

fn load_tile(tile: u32, block: u32) -> Tile {
    let row = tile * 4u;
    return Tile(
        array(load_row(row, block), load_row(row + 1u, block), load_row(row + 2u, block), load_row(row + 3u, block)),
    );
}

fn quad(row: Row, index: u32) -> vec4f {
    return row.quads[index];
}

fn scaled(tile: Tile, low: vec4f, high: vec4f, low_sum: f32, high_sum: f32) -> vec4f {
    return low + high;
}
