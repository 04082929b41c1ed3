// Results are added to the residual stream. What the next product wants of it is left beside it, so that no dispatch
// normalises: each value times the next norm's gain, and the sums of squares.

@group(1) @binding(OUT) var<storage, read> gain: array<vec4f>;                 // [1, hidden_size] of the next norm
@group(1) @binding(OUT + 1u) var<storage, read_write> hidden: array<vec4f>;    // [chunk, hidden_size]; its first row is the token
@group(1) @binding(OUT + 2u) var<storage, read_write> weighted: array<vec4f>;  // [1, hidden_size]
@group(1) @binding(OUT + 3u) var<storage, read_write> squares: array<f32>;     // [1, hidden_size / 4]

fn store_tile(tile: u32, y: Sum) {
    let at = OUT_TILE + tile;
    let sum = hidden[at] + y;
    hidden[at] = sum;
    weighted[at] = sum * gain[at];
    squares[at] = dot(sum, sum);
}
