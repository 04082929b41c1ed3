// 6-bit quants: nibbles, and pairs of top bits. Layout: format/src/layout/mod.rs.

@group(1) @binding(0) var<storage, read> weights: array<vec2u>; // [rows, columns / 32, 3]: nibbles, nibbles, top bits

const HIGH = 1.0;

struct Row {
    nibbles: vec4u,
    tops: vec2u,
}

fn load_row(row: u32, block: u32) -> Row {
    let first = (row * BLOCKS + block) * 3u;
    return Row(vec4u(weights[first], weights[first + 1u]), weights[first + 2u]);
}

fn quad(row: Row, index: u32) -> vec4f {
    let nibbles = (row.nibbles[index & 3u] >> select(0u, 4u, index > 3u)) & 0x0F0F0F0Fu;
    let tops = (select(row.tops.x, row.tops.y, index > 3u) >> (2u * (index & 3u))) & 0x03030303u;
    return vec4f(unpack4xU8(nibbles | (tops << 4u)));
}

// The quants of the first 16 columns, one a byte.
fn low_bytes(row: Row) -> vec4u {
    return (row.nibbles & vec4u(0x0F0F0F0Fu)) | top_bits(row.tops.x);
}

// The others.
fn high_bytes(row: Row) -> vec4u {
    return ((row.nibbles >> vec4u(4u)) & vec4u(0x0F0F0F0Fu)) | top_bits(row.tops.y);
}

// The top bits of four quads, where they are in the bytes.
fn top_bits(tops: u32) -> vec4u {
    return ((vec4u(tops) >> vec4u(0u, 2u, 4u, 6u)) & vec4u(0x03030303u)) << vec4u(4u);
}
