//! What weights are multiplied with, as whole numbers of 16 bits.
//!
//! `x[i] = scale * quants[i]`, with one scale a token: the largest of its values becomes ±32,767.
//!
//! Tokens are multiplied in groups, and their quants lie as a group reads them: those of all its tokens for 16 columns,
//! then for the next 16.

use wide::f32x4;

/// Columns whose sum is kept: as many as share a scale in the finest of the types.
pub(super) const PART: usize = 16;

/// Largest of the quants.
const MOST: f32 = 32_767.0;

/// `[tokens, columns]`, in `f32` and rounded.
#[derive(Debug)]
pub(super) struct Activations<'a> {
    pub(super) columns: usize,
    /// `[tokens, columns]`
    pub(super) values: &'a [f32],
    /// `[groups][columns / 16, tokens of the group]`; empty if there are no whole blocks of 32 columns.
    pub(super) quants: Vec<[i16; PART]>,
    /// Sums of 16 quants, `[groups][columns / 16, tokens of the group]`: whole numbers that `f32` holds exactly.
    pub(super) part_sums: Vec<f32>,
    /// Sums of 32, `[groups][columns / 32, tokens of the group]`.
    pub(super) block_sums: Vec<f32>,
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
        let (quants, part_sums, block_sums, scales) = Default::default();
        let mut x = Activations { columns, values, quants, part_sums, block_sums, scales };
        // Blocks that share a scale have 32 columns: other matrices are multiplied in `f32`.
        if columns.is_multiple_of(2 * PART) {
            x.quants = vec![[0; PART]; values.len() / PART];
            x.part_sums = vec![0.0; values.len() / PART];
            x.block_sums = vec![0.0; values.len() / PART / 2];
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
        let first = group.first * self.columns / PART;
        let quants = &mut self.quants[first..];
        let (part_sums, block_sums) = (&mut self.part_sums[first..], &mut self.block_sums[first / 2..]);
        for (token, values) in values.chunks_exact(self.columns).enumerate() {
            let (scale, inverse) = scale(values);
            self.scales.push(scale);
            for (part, values) in values.as_chunks::<PART>().0.iter().enumerate() {
                let rounded = round(values, inverse);
                let at = part * group.tokens + token;
                let sum = rounded.iter().sum::<i32>() as f32;
                part_sums[at] = sum;
                block_sums[part / 2 * group.tokens + token] += sum;
                quants[at] = rounded.map(|quant| quant as i16);
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
            let end = groups.last().map_or(0, |group| group.first + group.tokens);
            assert_eq!(end, tokens);
        }
    }

    #[test]
    fn quants_are_grouped_and_summed() {
        let value = |i| if i < 32 { i as f32 } else { 32_767.0 * (i % 2) as f32 };
        let values: Vec<f32> = (0..64).map(value).collect();
        let x = Activations::new(&values, 32);
        assert_eq!((x.tokens(), x.quants.len(), x.part_sums.len()), (2, 4, 4));
        // Of the first token 31 is the largest: 1,057 for each. The second lies between.
        let sixteen = |first: i16| std::array::from_fn(|i| (first + i as i16) * 1057);
        assert_eq!([x.quants[0], x.quants[2]], [sixteen(0), sixteen(16)]);
        assert_eq!(x.quants[1], std::array::from_fn(|i| 32_767 * (i % 2) as i16));
        let sums = [120 * 1057, 8 * 32_767, 376 * 1057, 8 * 32_767].map(|sum| sum as f32);
        assert_eq!(x.part_sums, sums);
        assert_eq!(x.block_sums, [sums[0] + sums[2], sums[1] + sums[3]]);
        assert_eq!(x.scales, [31.0 / 32_767.0, 1.0]);
    }

    #[test]
    fn all_zeros_stay_zeros() {
        let x = Activations::new(&[0.0; 32], 32);
        assert_eq!((x.scales[0], x.part_sums[0], x.quants[0]), (0.0, 0.0, [0; PART]));
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
