// What the splits of a token's attention come to.

@group(1) @binding(0) var<storage, read> sums_of: array<vec4f>;   // [splits, heads * head_dim]
@group(1) @binding(2) var<storage, read> weight_of: array<vec2f>; // [splits, heads] of (highest, total)

// 4 values of a head.
fn combined(at: u32) -> vec4f {
    let head = at / QUADS;
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
        sum += sums_of[split * HEADS * QUADS + at] * correction;
        total += weight.y * correction;
    }
    return sum / total;
}
