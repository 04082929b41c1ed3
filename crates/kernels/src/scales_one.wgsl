// A scale for a block: value = scale * (quant - OFFSET). Layout: format/src/layout/mod.rs.

@group(1) @binding(1) var<storage, read> scales: array<vec2u>; // [rows / 4, columns / 32]: 4 halves, one a row

struct Scales {
    scale: vec4f,
}

fn load_scales(tile: u32, block: u32) -> Scales {
    let packed = scales[tile * BLOCKS + block];
    return Scales(vec4f(unpack2x16float(packed.x), unpack2x16float(packed.y)));
}

fn scaled(scales: Scales, low: vec4f, high: vec4f, low_sum: f32, high_sum: f32) -> vec4f {
    if OFFSET == 0.0 {
        return scales.scale * (low + high);
    }
    return scales.scale * (low + high - OFFSET * (low_sum + high_sum));
}

fn dequantized(scales: Scales, row: u32, index: u32, quants: vec4f) -> vec4f {
    return scales.scale[row] * (quants - OFFSET);
}
