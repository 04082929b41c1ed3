// 8-bit quants with a sign. Layout: format/src/layout/mod.rs.

@group(1) @binding(0) var<storage, read> weights: array<vec4u>; // [rows, columns / 32, 2]: a word has 4 bytes

const HIGH = 1.0;

struct Row {
    low: vec4u,
    high: vec4u,
}

fn load_row(row: u32, block: u32) -> Row {
    let first = (row * BLOCKS + block) * 2u;
    return Row(weights[first], weights[first + 1u]);
}

fn quad(row: Row, index: u32) -> vec4f {
    return vec4f(unpack4xI8(select(row.low, row.high, index > 3u)[index & 3u]));
}

// The quants of the first 16 columns, one a byte.
fn low_bytes(row: Row) -> vec4u {
    return row.low;
}

// The others.
fn high_bytes(row: Row) -> vec4u {
    return row.high;
}
