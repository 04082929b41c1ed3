// Activations in whole numbers of two bytes, 32 of them with a scale. One invocation takes one such block.
// Other pieces say what is rounded (`x_at`), and what scales are multiplied by (`norm_scale`).

@group(1) @binding(1) var<storage, read_write> out: array<vec4u>; // [tokens, X_STRIDE]: 5 a block

// Below it there is no telling what the inverse of a scale is: such blocks are zeros.
const LEAST = 1e-30;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(@builtin(global_invocation_id) id: vec3u) {
    let block = id.x;
    let token = id.y;
    if block >= BLOCKS {
        return;
    }
    let first = (token * BLOCKS + block) * 8u;
    let x0 = x_at(first);
    let x1 = x_at(first + 1u);
    let x2 = x_at(first + 2u);
    let x3 = x_at(first + 3u);
    let x4 = x_at(first + 4u);
    let x5 = x_at(first + 5u);
    let x6 = x_at(first + 6u);
    let x7 = x_at(first + 7u);
    let low_most = max(max(magnitudes(x0), magnitudes(x1)), max(magnitudes(x2), magnitudes(x3)));
    let high_most = max(max(magnitudes(x4), magnitudes(x5)), max(magnitudes(x6), magnitudes(x7)));
    let most = max(low_most, high_most);
    let scale = scale_of(max(max(most.x, most.y), max(most.z, most.w)));
    var inverse = 0.0;
    if scale > 0.0 {
        inverse = 1.0 / scale;
    }
    let q0 = quants(x0, inverse);
    let q1 = quants(x1, inverse);
    let q2 = quants(x2, inverse);
    let q3 = quants(x3, inverse);
    let q4 = quants(x4, inverse);
    let q5 = quants(x5, inverse);
    let q6 = quants(x6, inverse);
    let q7 = quants(x7, inverse);
    let at = token * X_STRIDE + block * 5u;
    out[at] = vec4u(upper(q0), upper(q1), upper(q2), upper(q3));
    out[at + 1u] = vec4u(upper(q4), upper(q5), upper(q6), upper(q7));
    out[at + 2u] = vec4u(lower(q0), lower(q1), lower(q2), lower(q3));
    out[at + 3u] = vec4u(lower(q4), lower(q5), lower(q6), lower(q7));
    let sums = vec2f(sum(q0 + q1 + q2 + q3), sum(q4 + q5 + q6 + q7));
    // A matrix product is given the rows of some tokens, and reads from them which they are.
    out[at + 4u] = vec4u(bitcast<u32>(scale * norm_scale()), bitcast<vec2u>(sums), token);
}

// Bits of numbers without their signs are ordered as the numbers are, and those of no numbers above all.
fn magnitudes(x: vec4f) -> vec4u {
    return bitcast<vec4u>(x) & vec4u(0x7FFFFFFFu);
}

// What a quant of 1 stands for, if so much is the largest magnitude. What is no number stays none.
fn scale_of(most: u32) -> f32 {
    if most >= 0x7F800000u {
        return bitcast<f32>(most | 0x7FC00000u);
    }
    let largest = bitcast<f32>(most);
    return select(0.0, largest * (1.0 / 32639.0), largest > LEAST);
}

fn quants(x: vec4f, inverse: f32) -> vec4i {
    return select(vec4i(0), vec4i(round(x * inverse)), inverse > 0.0);
}

// What a lower byte does not hold, which is -128 to 127, of a quant each.
fn uppers(quants: vec4i) -> vec4i {
    return (quants + 128) >> vec4u(8u);
}

fn upper(quants: vec4i) -> u32 {
    return pack4xI8(uppers(quants));
}

fn lower(quants: vec4i) -> u32 {
    return pack4xI8(quants - 256 * uppers(quants));
}

fn sum(quants: vec4i) -> f32 {
    return f32(quants.x + quants.y + quants.z + quants.w);
}
