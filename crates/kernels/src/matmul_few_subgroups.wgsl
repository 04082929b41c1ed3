// A subgroup takes a tile; its lanes sum up across it.

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
    @builtin(workgroup_id) group: vec3u,
    @builtin(local_invocation_index) index: u32,
    @builtin(subgroup_size) subgroup_size: u32,
) {
    let lanes = min(subgroup_size, WORKGROUP_SIZE);
    let subgroups = WORKGROUP_SIZE / lanes;
    let lane = index % lanes;
    // One turn where all subgroups have MIN_SIZE lanes; more where they are wider and so fewer.
    for (var turn = 0u; turn < TILES_PER_GROUP / subgroups; turn++) {
        let tile = FIRST_TILE + group.x * TILES_PER_GROUP + turn * subgroups + index / lanes;
        // The last workgroup computes its last tile again instead of leaving: subgroupAdd needs every lane.
        let sums = lane_sums(min(tile, END_TILE - 1u), lane, lanes);
        let low = across(sums.low);
        if lane == 0u {
            store_four(0u, tile, low);
        }
        if step.seq_len > 4u {
            let high = across(sums.high);
            if lane == 0u {
                store_four(4u, tile, high);
            }
        }
    }
}

fn across(sums: mat4x4f) -> mat4x4f {
    return mat4x4f(subgroupAdd(sums[0]), subgroupAdd(sums[1]), subgroupAdd(sums[2]), subgroupAdd(sums[3]));
}

fn store_four(first: u32, tile: u32, y: mat4x4f) {
    store_few(first, tile, y[0]);
    store_few(first + 1u, tile, y[1]);
    store_few(first + 2u, tile, y[2]);
    store_few(first + 3u, tile, y[3]);
}
