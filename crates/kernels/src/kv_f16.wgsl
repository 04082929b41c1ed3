// The KV cache in halves, 4 values in 8 bytes.

alias Quad = vec2u;

const HAS_SCALES = false;

fn pack_quad(v: vec4f) -> Quad {
    return vec2u(pack2x16float(v.xy), pack2x16float(v.zw));
}

fn unpack_quad(q: Quad) -> vec4f {
    return vec4f(unpack2x16float(q.x), unpack2x16float(q.y));
}

fn pack_scale(scale: f32) -> Quad {
    return Quad();
}

fn unpack_scale(q: Quad) -> f32 {
    return 1.0;
}
