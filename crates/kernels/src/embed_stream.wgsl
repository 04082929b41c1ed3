// One token's row begins the residual stream, with what the first product wants of it beside: see residual.wgsl.

@group(1) @binding(3) var<storage, read> gain: array<vec4f>;            // [1, columns] of the first norm
@group(1) @binding(4) var<storage, read_write> hidden: array<vec4f>;    // [chunk, columns]
@group(1) @binding(5) var<storage, read_write> weighted: array<vec4f>;  // [1, columns]
@group(1) @binding(6) var<storage, read_write> squares: array<f32>;     // [1, columns / 4]

fn put(token: u32, quad: u32, value: vec4f) {
    hidden[quad] = value;
    weighted[quad] = value * gain[quad];
    squares[quad] = dot(value, value);
}
