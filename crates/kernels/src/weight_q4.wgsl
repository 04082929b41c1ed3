// 4-bit blocks of 32 with one scale: value = scale * (q - 8). Layout: weight.rs.

@group(1) @binding(0) var<storage, read> weights: array<vec4u>; // [rows, columns / 32]: a word has 8 nibbles
@group(1) @binding(1) var<storage, read> scales: array<vec2u>;  // [rows / 4, columns / 32]: 4 halves, one a row

struct Tile {
    rows: array<vec4u, 4>,
    scales: vec4f,
}

fn load_tile(tile: u32, block: u32) -> Tile {
    let first = tile * 4u * BLOCKS + block;
    let packed = scales[tile * BLOCKS + block];
    return Tile(
        array(weights[first], weights[first + BLOCKS], weights[first + 2u * BLOCKS], weights[first + 3u * BLOCKS]),
        vec4f(unpack2x16float(packed.x), unpack2x16float(packed.y)),
    );
}

// Quads 0 to 3 are the low nibbles. High nibbles are left in place, 16 times too large: `scaled` divides once.
fn quad(words: vec4u, index: u32) -> vec4f {
    let mask = select(0x0F0F0F0Fu, 0xF0F0F0F0u, index > 3u);
    return vec4f(unpack4xU8(words[index & 3u] & mask));
}

fn scaled(tile: Tile, low: vec4f, high: vec4f, low_sum: f32, high_sum: f32) -> vec4f {
    return tile.scales * (low + high * 0.0625 - 8.0 * (low_sum + high_sum));
}
