// What is rounded is a token's attention, which lies in splits; another piece combines them.

fn x_at(at: u32) -> vec4f {
    return combined(at);
}
