// A product for one token, as a CPU likes it that stands for a GPU: an invocation takes a tile of rows and all of their
// blocks, so that it needs neither barriers nor workgroup memory. Other pieces say what a tile is (`Sum`, `block_sum`), and
// where results go (`store_tile`). Activations are normalised already: their scales see to it.

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
    store_tile(tile, sum);
}
