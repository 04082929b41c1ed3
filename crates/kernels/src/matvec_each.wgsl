// A product for one token, as a CPU likes it that stands for a GPU: an invocation takes a tile of rows and all of their
// blocks, so that it needs neither barriers nor workgroup memory. Other pieces say what a tile is (`Sum`, `block_sum`), and
// how activations are normalised (`squares_of`, `norm_scale`), and where results go (`store_tile`).

@compute @workgroup_size(WORKGROUP_SIZE)
fn main(@builtin(global_invocation_id) id: vec3u) {
    let tile = FIRST_TILE + id.x;
    if tile >= END_TILE {
        return;
    }
    var sum = Sum();
    for (var block = 0u; block < BLOCKS; block++) {
        sum += block_sum(tile, block);
    }
    store_tile(tile, sum * norm_scale(squares_of(0u, 1u)));
}
