// What is rounded are activations as they lie.

@group(1) @binding(0) var<storage, read> x: array<vec4f>; // [tokens, columns]

fn x_at(at: u32) -> vec4f {
    return x[at];
}
