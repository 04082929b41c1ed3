// Halves, two in a word, behind a `halves_*.wgsl` that says which. Layout: format/src/layout/mod.rs.

@group(1) @binding(0) var<storage, read> weights: array<vec4u>; // [rows, columns / 32, 4]: a word has 2 halves

const HIGH = 1.0;

struct Row {
    words: array<vec4u, 4>,
}

fn load_row(row: u32, block: u32) -> Row {
    let first = (row * BLOCKS + block) * 4u;
    return Row(array(weights[first], weights[first + 1u], weights[first + 2u], weights[first + 3u]));
}

fn quad(row: Row, index: u32) -> vec4f {
    let words = row.words[index / 2u];
    let pair = select(words.xy, words.zw, (index & 1u) == 1u);
    return vec4f(unpack_halves(pair.x), unpack_halves(pair.y));
}
