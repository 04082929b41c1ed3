// The upper halves of floats.
fn unpack_halves(word: u32) -> vec2f {
    return bitcast<vec2f>(vec2u(word << 16u, word & 0xFFFF0000u));
}
