// A product for one token. A subgroup takes a tile of rows, a lane every so manieth block of them; one sum across lanes
// at the end, no barrier, no workgroup memory. Other pieces say what a tile is (`Sum`, `block_sum`, `across`), how
// activations are normalised (`squares_of`, `norm_scale`), and where results go (`store_tile`).

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(
    @builtin(workgroup_id) group: vec3u,
    @builtin(local_invocation_index) index: u32,
    @builtin(subgroup_size) subgroup_size: u32,
) {
    let lanes = min(subgroup_size, WORKGROUP_SIZE);
    let subgroups = WORKGROUP_SIZE / lanes;
    let lane = index % lanes;
    let scale = norm_scale(subgroupAdd(squares_of(lane, lanes)));
    // One turn where all subgroups have MIN_SIZE lanes; more where they are wider and so fewer.
    for (var turn = 0u; turn < TILES_PER_GROUP / subgroups; turn++) {
        let tile = FIRST_TILE + group.x * TILES_PER_GROUP + turn * subgroups + index / lanes;
        // The last workgroup computes its last tile again instead of leaving: subgroupAdd needs every lane.
        let sum = across(lane_sum(min(tile, END_TILE - 1u), lane, lanes));
        if lane == 0u && tile < END_TILE {
            store_tile(tile, sum * scale);
        }
    }
}
