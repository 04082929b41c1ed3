// out = X Wᵀ, for the tokens of a step, as a GPU likes it: a workgroup takes SIDE rows and as many tokens, and brings them
// block by block into workgroup memory, so that each is read and unpacked once for all of the others. An invocation sums
// up EACH rows by EACH tokens in registers. What a block is held as, and multiplied in, says `tiled_floats.wgsl` or
// `tiled_halves.wgsl`.

@group(1) @binding(2) var<storage, read> x: array<vec4f>; // [seq_len, columns]

const SIDE = 64u; // Also the invocations of a workgroup.
const EACH = 8u;
const QUADS = 8u; // Of a block.

// [tokens, rows], every EACHth of the workgroup's.
alias Sums = array<array<f32, EACH>, EACH>;

@compute @workgroup_size(SIDE)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let first_row = FIRST_TILE * 4u + group.x * SIDE;
    let first_token = group.y * SIDE;
    // Rows and tokens past the end are read as the last one, and not stored.
    let read_row = min(first_row + lane, END_TILE * 4u - 1u);
    let read_token = min(first_token + lane, step.seq_len - 1u);
    let row = lane % EACH;
    let token = lane / EACH;
    var sums: Sums;

    for (var block = 0u; block < BLOCKS; block++) {
        hold_block(lane, read_row, read_token, block);
        workgroupBarrier();
        add_block(&sums, row, token);
        workgroupBarrier();
    }

    let end_row = min(ROWS, END_TILE * 4u);
    for (var j = 0u; j < EACH; j++) {
        for (var i = 0u; i < EACH; i++) {
            let out_token = first_token + j * EACH + token;
            let out_row = first_row + i * EACH + row;
            if out_token < step.seq_len && out_row < end_row {
                store(out_token, out_row, sums[j][i]);
            }
        }
    }
}

// Where a quad of a row or a token lies. Neighbouring invocations read the same quad of neighbouring rows: in the order
// of memory they would all ask one bank.
fn at(line: u32, quad: u32) -> u32 {
    return line * QUADS + (quad ^ (line % QUADS));
}
