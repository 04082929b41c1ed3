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
pub(crate) mod tests;
