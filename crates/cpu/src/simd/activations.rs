//! What weights are multiplied with, as whole numbers of 16 bits.
//!
//! `x[i] = scale * quants[i]`, with one scale a token: the largest of its values becomes ±32,767.
//!
//! Tokens are multiplied in groups, and their quants lie as a group reads them: those of all its tokens for 8 columns,
//! then for the next 8. Quants lie in pairs, as `dot_i16x8` takes them, and the pairs as the weights' bytes come apart: of each 8 columns
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
    /// `[groups][columns / 8, tokens of the group]`, each 4 pairs; empty if there are no whole blocks of 32 columns.
    pub(super) quants: Vec<[[i16; 2]; 4]>,
    /// `[groups][columns / 16, tokens of the group]`, of the quants.
    pub(super) sums: Vec<i32>,
    /// `[tokens]`
    pub(super) scales: Vec<f32>,
}

/// Tokens that are multiplied together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) first: usize,
    /// One of [`GROUPS`].
    pub(super) tokens: usize,
}

/// How many tokens a group may have. The sums of the largest fill half of the 16 registers that x86 has.
const GROUPS: [usize; 4] = [8, 4, 2, 1];

/// So many tokens as groups, the largest first.
pub(super) fn groups(tokens: usize) -> impl Iterator<Item = Group> {
    let mut first = 0;
    std::iter::from_fn(move || {
        let tokens = GROUPS.into_iter().find(|size| first + size <= tokens)?;
        first += tokens;
        Some(Group { first: first - tokens, tokens })
    })
}

impl Activations<'_> {
    /// `values` are `[tokens, columns]`.
    pub(super) fn new(values: &[f32], columns: usize) -> Activations<'_> {
        let mut x = Activations { columns, values, quants: Vec::new(), sums: Vec::new(), scales: Vec::new() };
        // Blocks that share a scale have 32 columns: other matrices are multiplied in `f32`.
        if columns.is_multiple_of(2 * PART) {
            x.quants = vec![[[0; 2]; 4]; values.len() / 8];
            x.sums = vec![0; values.len() / PART];
            groups(x.tokens()).for_each(|group| x.round(group));
        }
        x
    }

    pub(super) fn tokens(&self) -> usize {
        self.values.len() / self.columns
    }

    /// Fills in the quants, sums and scales of a group.
    fn round(&mut self, group: Group) {
        let values = &self.values[group.first * self.columns..][..group.tokens * self.columns];
        let quants = &mut self.quants[group.first * self.columns / 8..];
        let sums = &mut self.sums[group.first * self.columns / PART..];
        for (token, values) in values.chunks_exact(self.columns).enumerate() {
            let (scale, inverse) = scale(values);
            self.scales.push(scale);
            for (part, values) in values.as_chunks::<PART>().0.iter().enumerate() {
                let rounded = round(values, inverse);
                sums[part * group.tokens + token] = rounded.iter().sum();
                for (half, eight) in rounded.as_chunks::<8>().0.iter().enumerate() {
                    let [a, b, c, d, e, f, g, h] = PAIRED.map(|column| eight[column] as i16);
                    quants[(2 * part + half) * group.tokens + token] = [[a, b], [c, d], [e, f], [g, h]];
                }
            }
        }
    }
}

/// What a quant of 1 stands for, and its inverse, for a token of values.
fn scale(values: &[f32]) -> (f32, f32) {
    let (quads, _) = values.as_chunks::<4>();
    let most = quads.iter().fold(f32x4::ZERO, |most, quad| most.fast_max(f32x4::from(*quad).abs()));
    let most = most.to_array().into_iter().fold(0.0, f32::max);
    // What is no number must not become one: it makes the scale none, and by it all that is computed.
    let no_number = quads.iter().fold(f32x4::ZERO, |sum, quad| sum + f32x4::from(*quad) * f32x4::ZERO);
    let inverse = if most > 0.0 { MOST / most } else { 0.0 };
    (most / MOST + no_number.reduce_add(), inverse)
}

fn round(values: &[f32; PART], inverse: f32) -> [i32; PART] {
    let mut rounded = [0; PART];
    for (rounded, quad) in rounded.as_chunks_mut().0.iter_mut().zip(values.as_chunks::<4>().0) {
        *rounded = (f32x4::from(*quad) * f32x4::splat(inverse)).round_int().to_array();
    }
    rounded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_as_large_as_they_can_be() {
        for (tokens, expected) in
            [(0, vec![]), (1, vec![1]), (7, vec![4, 2, 1]), (8, vec![8]), (18, vec![8, 8, 2])]
        {
            let groups: Vec<Group> = groups(tokens).collect();
            let sizes: Vec<usize> = groups.iter().map(|group| group.tokens).collect();
            assert_eq!(sizes, expected, "{tokens}");
            let ends = groups.iter().map(|group| group.first + group.tokens);
            assert_eq!(ends.last().unwrap_or(0), tokens);
        }
    }

    #[test]
    fn quants_are_paired_and_summed() {
        let value = |i| if i < 32 { i as f32 } else { 32_767.0 * (i % 2) as f32 };
        let values: Vec<f32> = (0..64).map(value).collect();
        let x = Activations::new(&values, 32);
        assert_eq!((x.tokens(), x.quants.len(), x.sums.len()), (2, 8, 4));
        // Of the first token 31 is the largest: 1,057 for each. The second lies between.
        let eight =
            |first: i16| [[0, 2], [1, 3], [4, 6], [5, 7]].map(|pair| pair.map(|i| (first + i) * 1057));
        assert_eq!([x.quants[0], x.quants[2], x.quants[6]], [eight(0), eight(8), eight(24)]);
        assert_eq!(x.quants[1], [[0, 0], [32_767, 32_767], [0, 0], [32_767, 32_767]]);
        assert_eq!(x.sums, [120 * 1057, 8 * 32_767, 376 * 1057, 8 * 32_767]);
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
