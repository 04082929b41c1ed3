//! What weights are multiplied with, as whole numbers of 16 bits.
//!
//! `x[i] = scale * quants[i]`, with one scale a token: the largest of its values becomes ±32,767.
//!
//! Quants lie in pairs, as `dot_i16x8` takes them, and the pairs as the weights' bytes come apart: of each 8 columns
//! `(0, 2) (1, 3) (4, 6) (5, 7)`.

use wide::f32x4;

/// Columns whose sum is kept: as many as share a scale in the finest of the types.
pub(super) const PART: usize = 16;

/// Largest of the quants.
const MOST: f32 = 32_767.0;

/// The order of 8 columns.
const PAIRED: [usize; 8] = [0, 2, 1, 3, 4, 6, 5, 7];

/// `[tokens, columns]`, in `f32` and rounded.
#[derive(Debug)]
pub(super) struct Activations<'a> {
    pub(super) columns: usize,
    /// `[tokens, columns]`
    pub(super) values: &'a [f32],
    /// `[tokens, columns / 8]`, each 4 pairs; empty if there are no whole blocks of 32 columns.
    pub(super) quants: Vec<[[i16; 2]; 4]>,
    /// `[tokens, columns / 16]`, of the quants.
    pub(super) sums: Vec<i32>,
    /// `[tokens]`
    pub(super) scales: Vec<f32>,
}

impl Activations<'_> {
    /// `values` are `[tokens, columns]`.
    pub(super) fn new(values: &[f32], columns: usize) -> Activations<'_> {
        let mut x = Activations { columns, values, quants: Vec::new(), sums: Vec::new(), scales: Vec::new() };
        // Blocks that share a scale have 32 columns: other matrices are multiplied in `f32`.
        if columns.is_multiple_of(2 * PART) {
            x.quants.reserve_exact(values.len() / 8);
            x.sums.reserve_exact(values.len() / PART);
            values.chunks_exact(columns).for_each(|token| x.round(token));
        }
        x
    }

    pub(super) fn tokens(&self) -> usize {
        self.values.len() / self.columns
    }

    /// Appends the quants of one token, `[columns]`.
    fn round(&mut self, token: &[f32]) {
        let (quads, _) = token.as_chunks::<4>();
        let most = quads.iter().fold(f32x4::ZERO, |most, quad| most.fast_max(f32x4::from(*quad).abs()));
        let most = most.to_array().into_iter().fold(0.0, f32::max);
        // What is no number must not become one: it makes the scale none, and by it all that is computed.
        let no_number = quads.iter().fold(f32x4::ZERO, |sum, quad| sum + f32x4::from(*quad) * f32x4::ZERO);
        self.scales.push(most / MOST + no_number.to_array().iter().sum::<f32>());
        let inverse = f32x4::splat(if most > 0.0 { MOST / most } else { 0.0 });
        let (parts, _) = token.as_chunks::<PART>();
        for part in parts {
            let (quads, _) = part.as_chunks::<4>();
            let mut quants = [0; PART];
            let mut sum = 0;
            for (quants, quad) in quants.as_chunks_mut::<4>().0.iter_mut().zip(quads) {
                let rounded = (f32x4::from(*quad) * inverse).round_int().to_array();
                sum += rounded.iter().sum::<i32>();
                *quants = rounded.map(|quant| quant as i16);
            }
            let (eights, _) = quants.as_chunks::<8>();
            self.quants.extend(eights.iter().map(|eight| {
                let [a, b, c, d, e, f, g, h] = PAIRED.map(|column| eight[column]);
                [[a, b], [c, d], [e, f], [g, h]]
            }));
            self.sums.push(sum);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quants_are_paired_and_summed() {
        let values: Vec<f32> = (0..64).map(|i| if i < 32 { i as f32 } else { 32_767.0 * (i % 2) as f32 }).collect();
        let x = Activations::new(&values, 32);
        assert_eq!((x.tokens(), x.quants.len(), x.sums.len()), (2, 8, 4));
        // 31 is the largest: 1,057 for each.
        assert_eq!(x.quants[0], [[0, 2], [1, 3], [4, 6], [5, 7]].map(|pair| pair.map(|i| i * 1057)));
        assert_eq!(x.sums, [120 * 1057, 376 * 1057, 8 * 32_767, 8 * 32_767]);
        assert_eq!(x.scales, [31.0 / 32_767.0, 1.0]);
    }

    #[test]
    fn all_zeros_stay_zeros() {
        let x = Activations::new(&[0.0; 32], 32);
        assert_eq!((x.scales[0], x.sums[0], x.quants[0]), (0.0, 0, [[0; 2]; 4]));
    }

    #[test]
    fn what_is_no_number_stays_none() {
        for (value, at) in [(f32::NAN, 0), (f32::INFINITY, 31), (f32::NEG_INFINITY, 7)] {
            let mut values = [1.0; 32];
            values[at] = value;
            assert!(Activations::new(&values, 32).scales[0].is_nan(), "{value} at {at}");
        }
    }

    #[test]
    fn columns_of_no_whole_block_stay_floats() {
        let x = Activations::new(&[1.0; 40], 20);
        assert_eq!((x.tokens(), x.quants.len()), (2, 0));
    }
}
