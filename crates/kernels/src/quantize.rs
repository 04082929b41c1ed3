//! Activations in whole numbers of two bytes, for products of whole numbers: `x[i] = scale * quants[i]`.
//!
//! ```text
//! scale = largest |x| of 32 columns / 32,639        quants[i] = round(x[i] / scale), a half to the even one
//! quants[i] = 256 * upper + lower                   upper: -127 to 127, lower: -128 to 127
//! ```
//!
//! Beside 32 quants lie their scale and the sums of either half of them, which what stands for zero in a weight's type, and
//! its minimum, are multiplied with. Where activations are normalised, scales are divided by the root of the mean square.

use std::ops::Range;

use format::layout::BLOCK;
use gpu::{
    Access, Allocator, Constant, Extent, GpuError, Kernel, Needs, PlanBuilder, Tensor, UNIFORM_BYTES, View,
};

use crate::attention_of_one::{COMBINED, of_heads};
use crate::kv::Heads;
use crate::step::STEP;
use crate::{Input, Normed};

/// Few, since a token of a small model has no more blocks than that.
const WORKGROUP_SIZE: u32 = 16;

/// Vectors of 4 words that a block takes: 8 words of upper bytes, 8 of lower ones; scale, two sums, and the token's index.
const BLOCK_VECTORS: usize = 5;

/// Rows begin at multiples of 256 bytes, so that any of them can be the first that is bound.
const ROW_VECTORS: usize = 16;

/// Room for activations in whole numbers.
#[derive(Debug)]
pub struct Quantized {
    records: Tensor, // [tokens, row_vectors * 4]
    columns: usize,
}

impl Quantized {
    /// Whether there can be room for so many columns: a uniform binding must hold a token of them.
    pub fn fits(columns: usize) -> bool {
        row_bytes(columns) <= UNIFORM_BYTES && columns.is_multiple_of(BLOCK)
    }

    /// Room for at least so many tokens. Panics if it does not [fit](Quantized::fits): a mistake of ours.
    pub fn new(make: &Allocator, [tokens, columns]: [usize; 2]) -> Result<Quantized, GpuError> {
        assert!(Quantized::fits(columns), "quantized: {columns} columns");
        let tokens = tokens.next_multiple_of(tokens_at_once(columns).min(tokens));
        let records = make.uniform("quantized", [tokens, 4 * row_vectors(columns)])?;
        Ok(Quantized { records, columns })
    }

    /// `[tokens, columns]`
    pub fn shape(&self) -> [usize; 2] {
        [self.records.shape()[0], self.columns]
    }

    /// All tokens, as many at once as a uniform binding holds.
    pub(crate) fn groups(&self) -> impl Iterator<Item = Range<usize>> {
        let [tokens, columns] = self.shape();
        let at_once = tokens_at_once(columns).min(tokens);
        (0..tokens).step_by(at_once).map(move |first| first..first + at_once)
    }

    /// What some tokens are bound as.
    pub(crate) fn tokens(&self, tokens: Range<usize>) -> View<'_> {
        self.records.rows(tokens)
    }

    /// What shaders know of it, of which they bind so many tokens.
    pub(crate) fn constants(&self, tokens: usize) -> [Constant; 2] {
        let stride = row_vectors(self.columns) as u32;
        [Constant::U32("X_TOKENS", tokens as u32), Constant::U32("X_STRIDE", stride)]
    }
}

fn row_vectors(columns: usize) -> usize {
    (columns / BLOCK * BLOCK_VECTORS).next_multiple_of(ROW_VECTORS)
}

fn row_bytes(columns: usize) -> u64 {
    16 * row_vectors(columns) as u64
}

/// A multiple of 8, which a product takes at once, if there is room for as many.
fn tokens_at_once(columns: usize) -> usize {
    let most = (UNIFORM_BYTES / row_bytes(columns)) as usize;
    if most < 8 { most } else { most / 8 * 8 }
}

/// Rounds the step's tokens of `x`, or the one token that is to be normalised.
/// Panics if shapes disagree or if they are whole numbers already: that is a mistake in our code, not in a model file.
pub fn quantize<'a>(plan: &mut PlanBuilder<'a>, input: impl Into<Input<'a>>, out: &'a Quantized) {
    let (input, [tokens, columns]) = (input.into(), out.shape());
    let (x, squares, piece, extent) = match input {
        Input::Normed(Normed { weighted, squares, .. }) => {
            assert_eq!(squares.shape(), [1, columns / 4], "quantize: squares");
            (weighted, Some(squares), include_str!("quantize_normed.wgsl"), Extent::Fixed(1))
        }
        Input::Plain(x) => {
            assert!(x.shape()[0] <= tokens, "quantize: {} tokens", x.shape()[0]);
            (x, None, PLAIN, Extent::Tokens(1))
        }
        Input::Quantized(_) => panic!("quantize: whole numbers"),
    };
    assert_eq!(x.shape()[1], columns, "quantize: x");
    let rounding = Rounding {
        wgsl: vec![include_str!("quantize_floats.wgsl"), piece],
        x,
        beside: squares.map(|squares| (Access::Uniform, squares)),
        constants: input.constants(),
        extent,
    };
    rounding.dispatch(plan, out);
}

/// Rounds one token's attention, `[1, heads * head_dim]`, from where it lies in splits: what combining them and then
/// [`quantize`] come to, in one dispatch. Panics if shapes disagree: a mistake of ours.
pub(crate) fn quantize_splits<'a>(
    plan: &mut PlanBuilder<'a>,
    heads: Heads,
    [sums, weights]: [&'a Tensor; 2],
    out: &'a Quantized,
) {
    assert_eq!(heads.q_columns(), out.columns, "quantize: attention");
    let rounding = Rounding {
        wgsl: vec![COMBINED, include_str!("quantize_splits.wgsl"), PLAIN],
        x: sums,
        beside: Some((Access::Read, weights)),
        constants: of_heads(heads).to_vec(),
        extent: Extent::IfSplit,
    };
    rounding.dispatch(plan, out);
}

/// Scales are what they are.
const PLAIN: &str = include_str!("quantize_plain.wgsl");

/// What differs by what is rounded.
struct Rounding<'a> {
    wgsl: Vec<&'static str>,
    x: &'a Tensor,
    beside: Option<(Access, &'a Tensor)>,
    constants: Vec<Constant>,
    extent: Extent,
}

impl<'a> Rounding<'a> {
    fn dispatch(self, plan: &mut PlanBuilder<'a>, out: &'a Quantized) {
        let [tokens, columns] = out.shape();
        let mut constants = vec![
            Constant::U32("WORKGROUP_SIZE", WORKGROUP_SIZE),
            Constant::U32("BLOCKS", (columns / BLOCK) as u32),
        ];
        constants.extend(out.constants(tokens));
        constants.extend(self.constants);
        let (access, beside): (Vec<_>, Vec<_>) = self.beside.into_iter().unzip();
        let kernel = Kernel {
            name: "quantize",
            wgsl: [vec![STEP], self.wgsl, vec![include_str!("quantize.wgsl")]].concat(),
            bindings: [vec![Access::Read, Access::Write], access].concat(),
            needs: Needs::Int8Dot,
        };
        let tensors = [vec![self.x, &out.records], beside].concat();
        let groups = ((columns / BLOCK) as u32).div_ceil(WORKGROUP_SIZE);
        plan.dispatch(kernel, &constants, &tensors, [Extent::Fixed(groups), self.extent, Extent::Fixed(1)]);
    }
}

#[cfg(test)]
pub(crate) mod tests {
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
                let of =
                    |split: usize| [0, 1].map(|i| f64::from(weights[2 * (split * heads.heads + head) + i]));
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
}
