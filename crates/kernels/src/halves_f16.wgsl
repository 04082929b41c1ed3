// IEEE halves.
fn unpack_halves(word: u32) -> vec2f {
    return unpack2x16float(word);
}
