// Rotary position embedding of two pairs. Pairs are adjacent, as in GGUF and Meta's own files:
// (x0, x1) -> (x0 cos - x1 sin, x0 sin + x1 cos). `by` is (cos, sin) of the first pair, then of the second.
fn turn(x: vec4f, by: vec4f) -> vec4f {
    return vec4f(
        x.x * by.x - x.y * by.y,
        x.x * by.y + x.y * by.x,
        x.z * by.z - x.w * by.w,
        x.z * by.w + x.w * by.z,
    );
}
