//! How far a block's values reach, which is what a scale is made of.

/// The smallest value and the largest.
///
/// Eight lanes run side by side, since one would wait for each comparison;
/// and a comparison is one instruction, unlike [`f32::min`], which looks for what is no number.
pub(super) fn min_and_max(values: &[f32; 32]) -> (f32, f32) {
    let smaller = |a: f32, b: f32| if b < a { b } else { a };
    let larger = |a: f32, b: f32| if b > a { b } else { a };
    let (rows, _) = values.as_chunks::<8>();
    let (mut min, mut max) = (rows[0], rows[0]);
    for row in rows {
        for ((min, max), value) in min.iter_mut().zip(&mut max).zip(row) {
            *min = smaller(*min, *value);
            *max = larger(*max, *value);
        }
    }
    (min.into_iter().fold(min[0], smaller), max.into_iter().fold(max[0], larger))
}

/// The value of the largest magnitude, with its sign; the first of two that are equally large.
pub(super) fn largest(values: &[f32; 32]) -> f32 {
    let (min, max) = min_and_max(values);
    if max > -min {
        max
    } else if max < -min {
        min
    } else {
        values.iter().copied().find(|value| value.abs() == max).unwrap_or(0.0)
    }
}

/// `1 / d`, and 0 for 0: the levels of a block of zeros.
pub(super) fn inverse(d: f32) -> f32 {
    if d == 0.0 { 0.0 } else { 1.0 / d }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_the_largest_wins() {
        let rows: [(&[f32], f32); 5] = [
            (&[0.0], 0.0),
            (&[1.0, -3.0, 2.0], -3.0),
            (&[1.0, 3.0, -2.0], 3.0),
            (&[0.0, -3.0, 3.0], -3.0),
            (&[0.0, 3.0, -3.0], 3.0),
        ];
        for (some, expected) in rows {
            for shift in [0, 5, 20] {
                let mut values = [0.0; 32];
                values[shift..shift + some.len()].copy_from_slice(some);
                assert_eq!(largest(&values), expected, "{some:?} from {shift} on");
            }
        }
    }
}
