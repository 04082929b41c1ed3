// The KV cache in f32.

alias Quad = vec4f;

const HAS_SCALES = false;

fn pack_quad(v: vec4f) -> Quad {
    return v;
}

fn unpack_quad(q: Quad) -> vec4f {
    return q;
}

fn pack_scale(scale: f32) -> Quad {
    return Quad();
}

fn unpack_scale(q: Quad) -> f32 {
    return 1.0;
}
