// How matmul_tiled.wgsl holds a block of its rows and tokens, and multiplies them: in floats.

var<workgroup> row_quads: array<vec4f, SIDE * QUADS>;   // [SIDE rows, QUADS], in the order of `at`
var<workgroup> token_quads: array<vec4f, SIDE * QUADS>; // [SIDE tokens, QUADS], the same

fn hold_block(lane: u32, row: u32, token: u32, block: u32) {
    let packed = load_row(row, block);
    let scales = load_scales(row / 4u, block);
    for (var quad = 0u; quad < QUADS; quad++) {
        row_quads[at(lane, quad)] = weight_quad(packed, scales, row, quad);
        token_quads[at(lane, quad)] = x[(token * BLOCKS + block) * QUADS + quad];
    }
}

fn add_block(sums: ptr<function, Sums>, row: u32, token: u32) {
    for (var quad = 0u; quad < QUADS; quad++) {
        var weights: array<vec4f, EACH>;
        for (var i = 0u; i < EACH; i++) {
            weights[i] = row_quads[at(i * EACH + row, quad)];
        }
        for (var j = 0u; j < EACH; j++) {
            let activations = token_quads[at(j * EACH + token, quad)];
            for (var i = 0u; i < EACH; i++) {
                (*sums)[j][i] += dot(weights[i], activations);
            }
        }
    }
}
