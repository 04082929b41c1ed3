// Two levels of scales: value = d * scale * (quant - OFFSET), `d` for 256 columns, `scale` (8 bits) for a block or
// half a block, by PARTS. Both are kept as they are: their product rounded to a half would cost accuracy.
// Layout: format/src/layout/mod.rs.

@group(1) @binding(1) var<storage, read> scales: array<u32>; // [rows / 4, columns / 256, SUPER]: 4 d, 8 * PARTS * 4 scales

const SUPER = 2u + 8u * PARTS;

struct Scales {
    low: vec4f,
    high: vec4f,
}

fn load_scales(tile: u32, block: u32) -> Scales {
    let first = (tile * (BLOCKS / 8u) + block / 8u) * SUPER;
    let d = vec4f(unpack2x16float(scales[first]), unpack2x16float(scales[first + 1u]));
    let part = first + 2u + (block % 8u) * PARTS;
    return Scales(d * vec4f(unpack4xI8(scales[part])), d * vec4f(unpack4xI8(scales[part + PARTS - 1u])));
}

fn scaled(scales: Scales, low: vec4f, high: vec4f, low_sum: f32, high_sum: f32) -> vec4f {
    return scales.low * (low - OFFSET * low_sum) + scales.high * (high - OFFSET * high_sum);
}

fn dequantized(scales: Scales, row: u32, index: u32, quants: vec4f) -> vec4f {
    return select(scales.low, scales.high, index > 3u)[row] * (quants - OFFSET);
}
