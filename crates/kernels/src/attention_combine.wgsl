// What the splits of a token's attention come to. One invocation takes 4 values of a head.

@group(1) @binding(0) var<storage, read> sums_of: array<vec4f>;   // [splits, heads * head_dim]
@group(1) @binding(1) var<storage, read> weight_of: array<vec2f>; // [splits, heads] of (highest, total)
@group(1) @binding(2) var<storage, read_write> out: array<vec4f>; // [1 or more, heads * head_dim]

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(@builtin(global_invocation_id) id: vec3u) {
    if id.x >= HEADS * QUADS {
        return;
    }
    let head = id.x / QUADS;
    let splits = step.position / step.split_len + 1u;
    var highest = weight_of[head].x;
    for (var split = 1u; split < splits; split++) {
        highest = max(highest, weight_of[split * HEADS + head].x);
    }
    var sum = vec4f(0.0);
    var total = 0.0;
    for (var split = 0u; split < splits; split++) {
        let weight = weight_of[split * HEADS + head];
        let correction = exp2(weight.x - highest);
        sum += sums_of[split * HEADS * QUADS + id.x] * correction;
        total += weight.y * correction;
    }
    out[id.x] = sum / total;
}
