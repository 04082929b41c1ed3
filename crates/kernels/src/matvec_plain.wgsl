// out = W x, for one token, without subgroups. 16 lanes take 4 rows; their partial sums meet in workgroup memory
// behind one barrier.

@group(1) @binding(2) var<storage, read> x: array<vec4f>;         // [1, columns]
@group(1) @binding(3) var<storage, read_write> out: array<f32>;   // [1, out columns]

const LANES = 16u;

var<workgroup> partial: array<vec4f, WORKGROUP_SIZE>;

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) index: u32) {
    let tile = FIRST_TILE + group.x * TILES_PER_GROUP + index / LANES;
    let lane = index % LANES;
    var sum = vec4f(0.0);
    for (var block = lane; block < BLOCKS && tile < END_TILE; block += LANES) {
        sum += tile_dot(load_tile(tile, block), load_block(block));
    }
    partial[index] = sum;
    workgroupBarrier();
    if lane == 0u && tile < END_TILE {
        var y = vec4f(0.0);
        for (var other = 0u; other < LANES; other++) {
            y += partial[index + other];
        }
        store_tile(tile, y);
    }
}
