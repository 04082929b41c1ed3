// A tile is 4 rows of a matrix.

alias Sum = vec4f;

fn block_sum(tile: u32, block: u32) -> Sum {
    return tile_dot(load_tile(tile, block), load_block(0u, block));
}
