// Two levels of scales and of minimums: value = d * scale * quant - dmin * minimum, `d` and `dmin` for 256 columns,
// `scale` and `minimum` (8 bits) for a block or half a block, by PARTS. Layout: format/src/layout/mod.rs.

// [rows / 4, columns / 256, SUPER]: 4 d, 4 dmin, 8 * PARTS * 4 scales, 8 * PARTS * 4 minimums
@group(1) @binding(1) var<storage, read> scales: array<u32>;

const SUPER = 4u + 16u * PARTS;

struct Scales {
    low: vec4f,
    high: vec4f,
    low_minimum: vec4f,
    high_minimum: vec4f,
}

fn load_scales(tile: u32, block: u32) -> Scales {
    let first = (tile * (BLOCKS / 8u) + block / 8u) * SUPER;
    let d = vec4f(unpack2x16float(scales[first]), unpack2x16float(scales[first + 1u]));
    let dmin = vec4f(unpack2x16float(scales[first + 2u]), unpack2x16float(scales[first + 3u]));
    let low = first + 4u + (block % 8u) * PARTS;
    let high = low + PARTS - 1u;
    let minimums = 8u * PARTS;
    return Scales(
        d * vec4f(unpack4xI8(scales[low])),
        d * vec4f(unpack4xI8(scales[high])),
        dmin * vec4f(unpack4xU8(scales[low + minimums])),
        dmin * vec4f(unpack4xU8(scales[high + minimums])),
    );
}

fn scaled(scales: Scales, low: vec4f, high: vec4f, low_sum: f32, high_sum: f32) -> vec4f {
    return scales.low * low + scales.high * high - scales.low_minimum * low_sum - scales.high_minimum * high_sum;
}

fn dequantized(scales: Scales, row: u32, index: u32, quants: vec4f) -> vec4f {
    let minimum = select(scales.low_minimum, scales.high_minimum, index > 3u)[row];
    return select(scales.low, scales.high, index > 3u)[row] * quants - minimum;
}
