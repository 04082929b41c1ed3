// 16 lanes take a tile; they meet in workgroup memory behind one barrier, where each of the first 8 sums up for a token.

const LANES = 16u;

var<workgroup> partial: array<array<vec4f, 8>, WORKGROUP_SIZE>; // [lanes, tokens]

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) index: u32) {
    let tile = FIRST_TILE + group.x * TILES_PER_GROUP + index / LANES;
    let lane = index % LANES;
    if tile < END_TILE {
        let sums = lane_sums(tile, lane, LANES);
        partial[index] = array(
            sums.low[0], sums.low[1], sums.low[2], sums.low[3],
            sums.high[0], sums.high[1], sums.high[2], sums.high[3],
        );
    }
    workgroupBarrier();
    if lane < 8u {
        let first = index - lane;
        var sum = partial[first][lane];
        for (var other = 1u; other < LANES; other++) {
            sum += partial[first + other][lane];
        }
        store_few(lane, tile, sum);
    }
}
