// A product for one token, without subgroups. 16 lanes take a tile of rows; their partial sums meet in workgroup memory
// behind one barrier. Other pieces say what a tile is (`Sum`, `block_sum`), how activations are normalised
// (`squares_of`, `norm_scale`), and where results go (`store_tile`).

const LANES = 16u;

var<workgroup> partial: array<Sum, WORKGROUP_SIZE>;
var<workgroup> partial_squares: array<f32, WORKGROUP_SIZE>;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) index: u32) {
    let tile = FIRST_TILE + group.x * TILES_PER_GROUP + index / LANES;
    let lane = index % LANES;
    if tile < END_TILE {
        partial[index] = lane_sum(tile, lane, LANES);
    }
    partial_squares[index] = squares_of(lane, LANES);
    workgroupBarrier();
    if lane == 0u && tile < END_TILE {
        var sum = partial[index];
        var squares = partial_squares[index];
        for (var other = 1u; other < LANES; other++) {
            sum += partial[index + other];
            squares += partial_squares[index + other];
        }
        store_tile(tile, sum * norm_scale(squares));
    }
}
