// Activations are normalised: RMSNorm is x * gain / rms(x), and the last is one number for all, by which scales are divided.
// What is read as x is x * gain; the squares of x come as sums of 4 of them.

@group(1) @binding(2) var<uniform> squares: array<vec4f, BLOCKS * 2u>; // [1, columns / 4]

fn norm_scale() -> f32 {
    var sums = vec4f(0.0);
    for (var i = 0u; i < BLOCKS * 2u; i++) {
        sums += squares[i];
    }
    return inverseSqrt(dot(sums, vec4f(1.0)) / f32(BLOCKS * 32u) + EPS);
}
