// Writes what this device means by a subgroup, in exact integers, for probe.rs to check.

@group(1) @binding(0) var<storage, read_write> answers: array<vec4u>; // [GROUPS * WORKGROUP_SIZE]

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
    @builtin(workgroup_id) group: vec3u,
    @builtin(local_invocation_index) index: u32,
    @builtin(subgroup_size) size: u32,
    @builtin(subgroup_invocation_id) lane: u32,
) {
    let sum = subgroupAdd(index + 1u);
    let sums = subgroupAdd(vec4f(f32(index), 1.0, f32(lane), 0.5));
    answers[group.x * WORKGROUP_SIZE + index] = vec4u(size, lane, sum, u32(sums.x + 1024.0 * sums.y));
}
