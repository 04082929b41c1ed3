// A scale and a second number for a block: value = scale * quant + minimum, or scale * (quant - zero) where
// SECOND_IS_ZERO. Layout: format/src/layout/mod.rs.

@group(1) @binding(1) var<storage, read> scales: array<vec4u>; // [rows / 4, columns / 32]: (scale, second) a row

struct Scales {
    scale: vec4f,
    second: vec4f,
}

fn load_scales(tile: u32, block: u32) -> Scales {
    let packed = scales[tile * BLOCKS + block];
    let a = unpack2x16float(packed.x);
    let b = unpack2x16float(packed.y);
    let c = unpack2x16float(packed.z);
    let d = unpack2x16float(packed.w);
    return Scales(vec4f(a.x, b.x, c.x, d.x), vec4f(a.y, b.y, c.y, d.y));
}

fn scaled(scales: Scales, low: vec4f, high: vec4f, low_sum: f32, high_sum: f32) -> vec4f {
    let sum = low_sum + high_sum;
    if SECOND_IS_ZERO == 1u {
        return scales.scale * (low + high - scales.second * sum);
    }
    return scales.scale * (low + high) + scales.second * sum;
}

fn dequantized(scales: Scales, row: u32, index: u32, quants: vec4f) -> vec4f {
    if SECOND_IS_ZERO == 1u {
        return scales.scale[row] * (quants - scales.second[row]);
    }
    return scales.scale[row] * quants + scales.second[row];
}
