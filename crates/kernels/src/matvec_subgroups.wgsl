// out = W x, for one token. A subgroup takes 4 rows, a lane every so manieth block of them; one sum across lanes
// at the end, no barrier, no workgroup memory.

@group(1) @binding(2) var<storage, read> x: array<vec4f>;         // [1, columns]
@group(1) @binding(3) var<storage, read_write> out: array<f32>;   // [1, out columns]

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
        let y = subgroupAdd(lane_dot(min(tile, END_TILE - 1u), lane, lanes));
        if lane == 0u && tile < END_TILE {
            store_tile(tile, y);
        }
    }
}

fn lane_dot(tile: u32, lane: u32, lanes: u32) -> vec4f {
    var sum = vec4f(0.0);
    for (var block = lane; block < BLOCKS; block += lanes) {
        sum += tile_dot(load_tile(tile, block), load_block(block));
    }
    return sum;
}
