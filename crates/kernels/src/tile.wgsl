// Four rows of weights, of one block of 32 columns.
// Comes behind a `quants_*.wgsl` and a `scales_*.wgsl`, which say how a tile is packed: `quad` gives 4 quants of a row,
// `scaled` what a sum over quants comes to, `dequantized` what quants themselves do.

struct Tile {
    rows: array<Row, 4>,
    scales: Scales,
}

fn load_tile(tile: u32, block: u32) -> Tile {
    let row = tile * 4u;
    return Tile(
        array(load_row(row, block), load_row(row + 1u, block), load_row(row + 2u, block), load_row(row + 3u, block)),
        load_scales(tile, block),
    );
}

// The weights of one quad of a row. `row` is counted in the whole matrix.
fn weight_quad(packed: Row, scales: Scales, row: u32, index: u32) -> vec4f {
    return dequantized(scales, row % 4u, index, quad(packed, index) * select(1.0, HIGH, index > 3u));
}
