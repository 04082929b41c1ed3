// Sums over a workgroup, for the kernels that give one workgroup to each row.

var<workgroup> partial_sums: array<f32, WORKGROUP_SIZE>;

// Every invocation passes its own value and gets the total of all.
fn workgroup_sum(value: f32, lane: u32) -> f32 {
    partial_sums[lane] = value;
    for (var stride = WORKGROUP_SIZE / 2u; stride > 0u; stride /= 2u) {
        workgroupBarrier();
        if lane < stride {
            partial_sums[lane] += partial_sums[lane + stride];
        }
    }
    // Has a barrier on both sides, so the next call may write `partial_sums` at once.
    return workgroupUniformLoad(&partial_sums[0]);
}
