//! What a product reads: activations in floats, normalised on the way or not, or in whole numbers.

use gpu::{Access, Constant, Tensor, View};

use crate::Quantized;

/// Activations that are normalised by the product that reads them: RMSNorm is `x * gain / rms(x)`, and the last is one
/// number for all columns, so the finished sums are divided by it.
#[derive(Clone, Copy, Debug)]
pub struct Normed<'a> {
    /// `x * gain`: `[1, columns]`.
    pub weighted: &'a Tensor,
    /// The sums of `x²`, 4 at a time: `[1, columns / 4]`.
    pub squares: &'a Tensor,
    /// What keeps the root above zero.
    pub eps: f32,
}

/// What a product reads.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// One token's, to be normalised.
    Normed(Normed<'a>),
    /// `[1 or more, columns]`, taken as they are; of one token the first row.
    Plain(&'a Tensor),
    /// What [`quantize`](crate::quantize()) has made of either: the kernels of bytes read it.
    Quantized(&'a Quantized),
}

impl<'a> From<Normed<'a>> for Input<'a> {
    fn from(normed: Normed<'a>) -> Input<'a> {
        Input::Normed(normed)
    }
}

impl<'a> From<&'a Tensor> for Input<'a> {
    fn from(x: &'a Tensor) -> Input<'a> {
        Input::Plain(x)
    }
}

impl<'a> From<&'a Quantized> for Input<'a> {
    fn from(x: &'a Quantized) -> Input<'a> {
        Input::Quantized(x)
    }
}

impl<'a> Input<'a> {
    /// The same with other columns in the place of `x` or `x * gain`, or in another order. Whole numbers stay.
    pub fn with(self, x: &'a Tensor) -> Input<'a> {
        match self {
            Input::Normed(normed) => Input::Normed(Normed { weighted: x, ..normed }),
            Input::Plain(_) => Input::Plain(x),
            Input::Quantized(_) => self,
        }
    }

    /// `x`, or `x * gain`; none of whole numbers.
    pub fn floats(self) -> Option<&'a Tensor> {
        match self {
            Input::Normed(normed) => Some(normed.weighted),
            Input::Plain(x) => Some(x),
            Input::Quantized(_) => None,
        }
    }

    /// What a product of one token binds of it, behind words and scales. Panics if shapes disagree.
    pub(crate) fn bindings(self, columns: usize) -> Vec<(Access, View<'a>)> {
        match self {
            Input::Normed(Normed { weighted, squares, .. }) => {
                assert_eq!(weighted.shape()[1], columns, "product: weighted");
                assert_eq!(squares.shape(), [1, columns / 4], "product: squares");
                vec![(Access::Read, weighted.into()), (Access::Read, squares.into())]
            }
            Input::Plain(x) => {
                assert_eq!(x.shape()[1], columns, "product: x");
                vec![(Access::Read, x.into())]
            }
            Input::Quantized(x) => {
                assert_eq!(x.shape()[1], columns, "product: x in whole numbers");
                vec![(Access::Uniform, x.tokens(0..1))]
            }
        }
    }

    pub(crate) fn constants(self) -> Vec<Constant> {
        match self {
            Input::Normed(normed) => vec![Constant::F32("EPS", normed.eps)],
            Input::Plain(_) => Vec::new(),
            Input::Quantized(x) => x.constants(1).to_vec(),
        }
    }
}
