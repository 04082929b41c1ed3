//! Blocks of 256 weights taken apart: every number as it is stored, whatever the bits' order.
//!
//! All of ggml's K types are alike once they are: `d scale (q - offset) - dmin minimum`, with a scale and a minimum
//! for every 16 weights (of those types that have one for 32, two neighbours are equal).
//! [`dequantize`](crate::dequantize) computes the values, [`crate::layout`] packs the numbers for the kernels.

use super::float::widen;

/// A block of one of the K types, or of `IQ4_XS`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SuperBlock {
    /// f16: what scales are multiplied by.
    pub(crate) d: [u8; 2],
    /// f16: what minimums are multiplied by.
    pub(crate) dmin: [u8; 2],
    /// One for every 16 weights.
    pub(crate) scales: [i8; 16],
    /// One for every 16 weights; zeros where the type has none.
    pub(crate) minimums: [u8; 16],
    /// One a weight, from which the type's offset is to be subtracted.
    pub(crate) quants: [i8; 256],
}

/// For those who fill in what a type has.
pub(super) const EMPTY: SuperBlock =
    SuperBlock { d: [0; 2], dmin: [0; 2], scales: [0; 16], minimums: [0; 16], quants: [0; 256] };

impl SuperBlock {
    /// The values, with ggml's arithmetic.
    pub(super) fn values(&self, offset: f32, out: &mut [f32; 256]) {
        let (d, dmin) = (widen(self.d), widen(self.dmin));
        let ((sixteens, _), (quants, _)) = (out.as_chunks_mut::<16>(), self.quants.as_chunks::<16>());
        let scales = self.scales.iter().zip(&self.minimums);
        for ((out, quants), (scale, minimum)) in sixteens.iter_mut().zip(quants).zip(scales) {
            let (dl, ml) = (d * f32::from(*scale), dmin * f32::from(*minimum));
            for (out, q) in out.iter_mut().zip(quants) {
                *out = dl * (f32::from(*q) - offset) - ml;
            }
        }
    }
}
