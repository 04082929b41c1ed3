// How matmul_tiled.wgsl holds a block of its rows and tokens, and multiplies them: in halves, two columns at a time, whose
// sums over the block are added up in floats.
//
// A half ends at 65,504, and activations may be as large as they like. So each row and token is brought to below 32 in
// every block, by a power of two, which costs no bit; what it was divided by is kept in a float, and given back to the sum.
// A product is then at most 1,024, the sum of a block's 16 in each of the two columns 16,384, and nothing overflows; what
// is too small for a half is less than four millionths of the largest in its block. One power for a whole row would have to be
// known beforehand, and a large activation would take the bits of all others. `dot` would do, and sum up 4 columns each
// time in one half; two sums take as many instructions where two halves are multiplied at once, and half of the roundings.

const LARGEST = 32.0;

var<workgroup> row_quads: array<vec4<f16>, SIDE * QUADS>;   // [SIDE rows, QUADS], in the order of `at`
var<workgroup> token_quads: array<vec4<f16>, SIDE * QUADS>; // [SIDE tokens, QUADS], the same
var<workgroup> row_powers: array<f32, SIDE>;                // what they were divided by
var<workgroup> token_powers: array<f32, SIDE>;

fn hold_block(lane: u32, row: u32, token: u32, block: u32) {
    let packed = load_row(row, block);
    let scales = load_scales(row / 4u, block);
    var quads: array<vec4f, QUADS>;
    for (var quad = 0u; quad < QUADS; quad++) {
        quads[quad] = weight_quad(packed, scales, row, quad);
    }
    let row_power = power(quads);
    row_powers[lane] = row_power;
    for (var quad = 0u; quad < QUADS; quad++) {
        row_quads[at(lane, quad)] = halves(quads[quad], row_power);
    }

    for (var quad = 0u; quad < QUADS; quad++) {
        quads[quad] = x[(token * BLOCKS + block) * QUADS + quad];
    }
    let token_power = power(quads);
    token_powers[lane] = token_power;
    for (var quad = 0u; quad < QUADS; quad++) {
        token_quads[at(lane, quad)] = halves(quads[quad], token_power);
    }
}

// By what a block has to be divided for its largest magnitude to lie below LARGEST, and above half of it: a power of two,
// which is what its exponent says. A block of zeros has one, too.
fn power(quads: array<vec4f, QUADS>) -> f32 {
    var largest = vec4f(1e-30);
    for (var quad = 0u; quad < QUADS; quad++) {
        largest = max(largest, abs(quads[quad]));
    }
    let most = max(max(largest.x, largest.y), max(largest.z, largest.w));
    return bitcast<f32>(bitcast<u32>(most) & 0x7F800000u) * (2.0 / LARGEST);
}

// Only what was no finite number before is none as a half.
fn halves(quad: vec4f, power: f32) -> vec4<f16> {
    return vec4<f16>(quad * (1.0 / power));
}

fn add_block(sums: ptr<function, Sums>, row: u32, token: u32) {
    // By name, not in a loop that a compiler might leave one: sums are to stay in registers.
    add_tokens(sums, row, token, 0u);
    add_tokens(sums, row, token, AT_ONCE);
}

// Half of the tokens: more sums in halves, beside those in floats, would not fit in registers.
const AT_ONCE = EACH / 2u;

fn add_tokens(sums: ptr<function, Sums>, row: u32, token: u32, first: u32) {
    var pairs: array<array<vec2<f16>, EACH>, AT_ONCE>; // [tokens, rows], of even columns and of odd ones
    for (var quad = 0u; quad < QUADS; quad++) {
        var weights: array<vec4<f16>, EACH>;
        for (var i = 0u; i < EACH; i++) {
            weights[i] = row_quads[at(i * EACH + row, quad)];
        }
        for (var j = 0u; j < AT_ONCE; j++) {
            let activations = token_quads[at((first + j) * EACH + token, quad)];
            for (var i = 0u; i < EACH; i++) {
                pairs[j][i] = fma(weights[i].zw, activations.zw, fma(weights[i].xy, activations.xy, pairs[j][i]));
            }
        }
    }
    for (var j = 0u; j < AT_ONCE; j++) {
        let token_power = token_powers[(first + j) * EACH + token];
        for (var i = 0u; i < EACH; i++) {
            let pair = vec2f(pairs[j][i]);
            (*sums)[first + j][i] += (pair.x + pair.y) * token_power * row_powers[i * EACH + row];
        }
    }
}
