// Activations are normalised by their product: RMSNorm is x * gain / rms(x), and the last is one number for all, by which
// the finished sums are divided. What is read as x is x * gain; the squares of x come as sums of 4 of them.

@group(1) @binding(3) var<storage, read> squares: array<vec4f>; // [1, columns / 4]

fn squares_of(lane: u32, lanes: u32) -> f32 {
    var sum = 0.0;
    for (var i = lane; i < BLOCKS * 2u; i += lanes) {
        sum += dot(squares[i], ONES);
    }
    return sum;
}

fn norm_scale(sum: f32) -> f32 {
    return inverseSqrt(sum / f32(BLOCKS * 32u) + EPS);
}
