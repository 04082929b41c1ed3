// Writes what this device makes of dot products of bytes, in exact integers, for probe_int8.rs to check.

@group(1) @binding(0) var<storage, read> words: array<vec2u>;       // [PAIRS] of 4 bytes each
@group(1) @binding(1) var<storage, read_write> dots: array<i32>;    // [PAIRS]

@compute @workgroup_size(PAIRS)
fn main(@builtin(local_invocation_index) index: u32) {
    dots[index] = dot4I8Packed(words[index].x, words[index].y);
}
