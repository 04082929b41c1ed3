// sums[i] = the sum of the words that invocation i reads: every INVOCATIONS-th quad of them, from quad i on.

@group(1) @binding(0) var<storage, read> words: array<vec4u>;     // [1, 4 * QUADS]
@group(1) @binding(1) var<storage, read_write> sums: array<u32>;  // [1, INVOCATIONS]

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(@builtin(global_invocation_id) id: vec3u) {
    if id.x >= INVOCATIONS {
        return;
    }
    var sum = vec4u();
    for (var quad = id.x; quad < QUADS; quad += INVOCATIONS) {
        sum += words[quad];
    }
    sums[id.x] = sum.x + sum.y + sum.z + sum.w;
}
