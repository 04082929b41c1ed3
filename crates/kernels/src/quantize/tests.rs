use pollster::block_on;

use super::*;
use crate::StepParams;
use crate::check::{Stream, assert_close, gpu_int8, random, run, upload};

/// What a block becomes.
#[derive(Debug, PartialEq)]
struct Block {
    quants: [i16; 32],
    scale: f32,
}

impl Block {
    fn new(x: &[f32]) -> Block {
        let largest = x.iter().fold(0f32, |most, value| most.max(value.abs()));
        if x.iter().any(|value| !value.is_finite()) {
            return Block { quants: [0; 32], scale: f32::NAN };
        }
        let scale = if largest > 1e-30 { largest * (1.0 / 32639.0f64) as f32 } else { 0.0 };
        let inverse = if scale > 0.0 { 1.0 / scale } else { 0.0 };
        let round = |i| (x.get(i).copied().unwrap_or(0.0) * inverse).round_ties_even() as i16;
        Block { quants: std::array::from_fn(round), scale }
    }

    /// From the words of a record: also that its sums are those of its quants, and whose it is.
    #[track_caller]
    fn read(words: &[u32], token: usize) -> Block {
        let bytes: Vec<u8> = words[..16].iter().flat_map(|word| word.to_le_bytes()).collect();
        let byte = |at: usize| i16::from(bytes[at].cast_signed());
        let quants: [i16; 32] = std::array::from_fn(|i| 256 * byte(i) + byte(32 + i));
        let sum = |quants: &[i16]| quants.iter().map(|quant| f32::from(*quant)).sum::<f32>().to_bits();
        assert_eq!(words[17..], [sum(&quants[..16]), sum(&quants[16..]), token as u32]);
        Block { quants, scale: f32::from_bits(words[16]) }
    }
}

/// What products see of `x`, in blocks of 32.
pub(crate) fn rounded(x: &[f32]) -> Vec<f32> {
    let block = |x: &[f32]| {
        let Block { quants, scale } = Block::new(x);
        quants.map(|quant| f32::from(quant) * scale)
    };
    x.chunks_exact(BLOCK).flat_map(block).collect()
}

/// The blocks of `seq_len` tokens, those of a token behind those of the one before it.
fn blocks<'a>(gpu: &'a gpu::Gpu, seq_len: usize, room: &'a Quantized, input: Input<'a>) -> Vec<Block> {
    let params = StepParams { seq_len: seq_len as u32, ..Default::default() };
    run(gpu, params, &room.records, |plan| quantize(plan, input, room));
    let words = block_on(gpu.read(&room.records)).unwrap();
    let row = |token: usize| &words[token * room.records.shape()[1]..][..room.columns / BLOCK * 20];
    let read = |token| row(token).chunks_exact(20).map(move |words| Block::read(words, token));
    (0..seq_len).flat_map(read).collect()
}

#[track_caller]
fn check(seq_len: usize, chunk: usize, x: &[f32]) {
    let (gpu, columns) = (gpu_int8(), x.len() / chunk);
    let x_gpu = upload(&gpu, "x", [chunk, columns], x);
    let make = |make: &Allocator| Quantized::new(make, [chunk, columns]);
    let room = block_on(gpu.allocate("room", make)).unwrap();
    let got = blocks(&gpu, seq_len, &room, Input::Plain(&x_gpu));
    let expected = x[..seq_len * columns].chunks_exact(BLOCK).map(Block::new);
    for (index, (got, expected)) in got.iter().zip(expected).enumerate() {
        assert_eq!(got.quants, expected.quants, "block {index} of {seq_len} x {columns}");
        let same = got.scale == expected.scale || got.scale.is_nan() && expected.scale.is_nan();
        assert!(same, "block {index}: scale {}, expected {}", got.scale, expected.scale);
    }
    assert_eq!(got.len(), seq_len * columns / BLOCK);
}

#[test]
fn tokens_do_not_mix() {
    check(1, 1, &random(1, 32));
    check(3, 5, &random(2, 5 * 576));
    check(130, 131, &random(3, 131 * 96));
}

#[test]
fn halves_go_to_the_even_one() {
    let mut x = [0.0; 32];
    x[..8].copy_from_slice(&[32639.0, 0.5, 1.5, 2.5, -0.5, -1.5, -32638.5, 128.0]);
    assert_eq!(Block::new(&x).quants[..8], [32639, 0, 2, 2, 0, -2, -32638, 128]);
    check(1, 1, &x);
}

#[test]
fn nothing_stays_nothing_and_what_is_no_number_stays_none() {
    check(1, 1, &[0.0; 64]);
    check(1, 1, &[1e-38; 32]);
    check(1, 1, &[f32::MAX; 32]);
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut x = random(4, 96);
        x[40] = value;
        check(1, 1, &x);
    }
}

#[test]
fn what_is_normalised_has_other_scales() {
    let (gpu, columns) = (gpu_int8(), 576);
    let stream = Stream::new(&gpu, 5, columns);
    let make = |make: &Allocator| Quantized::new(make, [2, columns]);
    let room = block_on(gpu.allocate("room", make)).unwrap();
    let got = blocks(&gpu, 1, &room, stream.normed().into());
    let (weighted, factor) = stream.weighted_by();
    let expected: Vec<Block> = weighted.chunks_exact(BLOCK).map(Block::new).collect();
    let scales: Vec<f32> = got.iter().map(|block| block.scale).collect();
    let expected_scales: Vec<f32> = expected.iter().map(|block| block.scale * factor).collect();
    assert_close("scales", &scales, &expected_scales, 1e-6);
    assert!(got.iter().zip(&expected).all(|(got, expected)| got.quants == expected.quants));
}

/// Of splits that see the same, each relative to a maximum of its own.
#[track_caller]
fn check_splits(heads: Heads, splits: usize) {
    let (gpu, columns) = (gpu_int8(), heads.q_columns());
    let sums = random(6, splits * columns);
    // Pairs of the highest score and the total.
    let weights: Vec<f32> = random(7, 2 * splits * heads.heads)
        .iter()
        .enumerate()
        .map(|(i, value)| if i % 2 == 0 { 9.0 * value } else { 2.0 + value })
        .collect();
    let expected: Vec<f32> = (0..columns)
        .map(|column| {
            let head = column / heads.head_dim;
            let of = |split: usize| [0, 1].map(|i| f64::from(weights[2 * (split * heads.heads + head) + i]));
            let sum = |split: usize| of(split)[0].exp2() * f64::from(sums[split * columns + column]);
            let total = |split: usize| of(split)[0].exp2() * of(split)[1];
            ((0..splits).map(sum).sum::<f64>() / (0..splits).map(total).sum::<f64>()) as f32
        })
        .collect();

    let tensors = [
        upload(&gpu, "sums", [splits, columns], &sums),
        upload(&gpu, "weights", [splits, 2 * heads.heads], &weights),
    ];
    let make = |make: &Allocator| Quantized::new(make, [2, columns]);
    let room = block_on(gpu.allocate("room", make)).unwrap();
    let mut plan = gpu.plan();
    quantize_splits(&mut plan, heads, [&tensors[0], &tensors[1]], &room);
    let plan = block_on(plan.finish()).unwrap();
    // The last of the positions so far is the first of the last split.
    let position = 16 * (splits as u32 - 1);
    let params = StepParams { seq_len: 1, position, split_len: 16, ..Default::default() };
    gpu.step(1, &params).splits(1).run(&plan).submit().unwrap();
    let words = block_on(gpu.read(&room.records)).unwrap();
    let blocks = words[..columns / BLOCK * 20].chunks_exact(20).map(|words| Block::read(words, 0));
    let got: Vec<f32> =
        blocks.flat_map(|Block { quants, scale }| quants.map(|quant| f32::from(quant) * scale)).collect();
    assert_close(&format!("{splits} splits of {heads:?}"), &got, &expected, 3e-5);
}

#[test]
fn attention_comes_in_splits() {
    check_splits(Heads { heads: 9, kv_heads: 3, head_dim: 64 }, 1);
    check_splits(Heads { heads: 9, kv_heads: 3, head_dim: 64 }, 7);
    // Blocks with values of two heads.
    check_splits(Heads { heads: 4, kv_heads: 1, head_dim: 80 }, 32);
}

#[test]
fn a_uniform_binding_holds_a_group_of_tokens() {
    // A row of 576 columns takes 1,536 bytes, of Llama 3.1 8B's widest 35,840; of 70B's it would take 71,680.
    for (columns, at_once, groups) in [(576, 40, 4), (1536, 16, 8), (4096, 6, 22), (14336, 1, 128)] {
        assert!(Quantized::fits(columns));
        assert_eq!((tokens_at_once(columns), 128usize.div_ceil(at_once)), (at_once, groups), "{columns}");
        assert!(row_bytes(columns) * at_once as u64 <= UNIFORM_BYTES);
    }
    assert!(!Quantized::fits(28672) && !Quantized::fits(100));
}
