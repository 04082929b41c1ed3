// A lane's share of a tile: every so manieth block. Two a turn, so that twice as many loads are under way.
fn lane_sum(tile: u32, lane: u32, lanes: u32) -> Sum {
    var sum = Sum();
    var block = lane;
    for (; block + lanes < BLOCKS; block += 2u * lanes) {
        sum += block_sum(tile, block) + block_sum(tile, block + lanes);
    }
    if block < BLOCKS {
        sum += block_sum(tile, block);
    }
    return sum;
}
