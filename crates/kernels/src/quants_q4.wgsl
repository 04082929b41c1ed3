// 4-bit quants. Layout: format/src/layout/mod.rs.

@group(1) @binding(0) var<storage, read> weights: array<vec4u>; // [rows, columns / 32]: a word has 8 nibbles

// Quads 4 to 7, the high nibbles, are left in place, 16 times too large: their sums are set right once.
const HIGH = 0.0625;

struct Row {
    words: vec4u,
}

fn load_row(row: u32, block: u32) -> Row {
    return Row(weights[row * BLOCKS + block]);
}

fn quad(row: Row, index: u32) -> vec4f {
    let mask = select(0x0F0F0F0Fu, 0xF0F0F0F0u, index > 3u);
    return vec4f(unpack4xU8(row.words[index & 3u] & mask));
}

// The quants of the first 16 columns, one a byte.
fn low_bytes(row: Row) -> vec4u {
    return row.words & vec4u(0x0F0F0F0Fu);
}

// The others. They are shifted, since a high nibble in its place would be a byte with a sign.
fn high_bytes(row: Row) -> vec4u {
    return (row.words >> vec4u(4u)) & vec4u(0x0F0F0F0Fu);
}
