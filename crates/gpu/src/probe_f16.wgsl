// Writes what this device makes of halves, in workgroup memory and out of it, for probe_f16.rs to check.

@group(1) @binding(0) var<storage, read> quads: array<vec4f>;      // [PAIRS, 2]
@group(1) @binding(1) var<storage, read_write> dots: array<f32>;   // [PAIRS]

var<workgroup> held: array<vec4<f16>, 2u * PAIRS>;

@compute @workgroup_size(PAIRS)
fn main(@builtin(local_invocation_index) index: u32) {
    held[2u * index] = vec4<f16>(quads[2u * index]);
    held[2u * index + 1u] = vec4<f16>(quads[2u * index + 1u]);
    workgroupBarrier();
    // Another's pair, so that what was held is read.
    let pair = PAIRS - 1u - index;
    let a = held[2u * pair];
    let b = held[2u * pair + 1u];
    let sums = vec2f(fma(a.zw, b.zw, a.xy * b.xy));
    dots[pair] = sums.x + sums.y;
}
