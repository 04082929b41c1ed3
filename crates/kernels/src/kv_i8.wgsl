// The KV cache in bytes: 4 values of -127 to 127 in a word, and for each span a scale, which is its largest magnitude.

alias Quad = u32;

const HAS_SCALES = true;

fn pack_quad(v: vec4f) -> Quad {
    return pack4x8snorm(v);
}

fn unpack_quad(q: Quad) -> vec4f {
    return unpack4x8snorm(q);
}

fn pack_scale(scale: f32) -> Quad {
    return bitcast<u32>(scale);
}

fn unpack_scale(q: Quad) -> f32 {
    return bitcast<f32>(q);
}
