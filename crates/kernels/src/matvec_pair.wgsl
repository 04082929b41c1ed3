// A tile is 4 rows of a matrix and the 4 that lie PAIR_TILES tiles behind them: activations are read once for both.

alias Sum = mat2x4f;

fn block_sum(tile: u32, block: u32) -> Sum {
    let activations = load_block(0u, block);
    return Sum(
        tile_dot(load_tile(tile, block), activations),
        tile_dot(load_tile(tile + PAIR_TILES, block), activations),
    );
}
