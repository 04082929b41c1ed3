// Plain floats. Layout: format/src/layout/mod.rs.

@group(1) @binding(0) var<storage, read> weights: array<vec4f>; // [rows, columns / 4]

const HIGH = 1.0;

struct Row {
    quads: array<vec4f, 8>,
}

fn load_row(row: u32, block: u32) -> Row {
    let first = (row * BLOCKS + block) * 8u;
    return Row(array(
        weights[first], weights[first + 1u], weights[first + 2u], weights[first + 3u],
        weights[first + 4u], weights[first + 5u], weights[first + 6u], weights[first + 7u],
    ));
}

fn quad(row: Row, index: u32) -> vec4f {
    return row.quads[index];
}
