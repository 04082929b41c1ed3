//! The formulas between the products, each on `[tokens, features]`.

use wide::f32x4;

use super::product::dot;

/// `x / sqrt(mean(x²) + eps) * weight`, token by token. `weight` is `[features]`.
pub(super) fn rms_norm(x: &[f32], weight: &[f32], eps: f32) -> Vec<f32> {
    let mut out = Vec::with_capacity(x.len());
    for token in x.chunks_exact(weight.len()) {
        let scale = 1.0 / (dot(token, token) / token.len() as f32 + eps).sqrt();
        out.extend(token.iter().zip(weight).map(|(x, weight)| x * scale * weight));
    }
    out
}

/// `silu(gate) * up` into `gate`, where `silu(x) = x / (1 + exp(-x))`.
pub(super) fn swiglu(gate: &mut [f32], up: &[f32]) {
    let silu = |x: f32x4| x / (f32x4::ONE + (-x).exp());
    let ((gates, gates_rest), (ups, ups_rest)) = (gate.as_chunks_mut::<4>(), up.as_chunks::<4>());
    for (gate, up) in gates.iter_mut().zip(ups) {
        *gate = (silu(f32x4::from(*gate)) * f32x4::from(*up)).to_array();
    }
    for (gate, up) in gates_rest.iter_mut().zip(ups_rest) {
        *gate = *gate / (1.0 + (-*gate).exp()) * up;
    }
}

/// `exp(x - max) / Σ exp(x - max)`
pub(super) fn softmax(x: &mut [f32]) {
    let max = x.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sum = 0.0;
    let (quads, rest) = x.as_chunks_mut::<4>();
    let mut sums = f32x4::ZERO;
    for quad in quads {
        let exponential = (f32x4::from(*quad) - f32x4::splat(max)).exp();
        sums += exponential;
        *quad = exponential.to_array();
    }
    for x in rest {
        *x = (*x - max).exp();
        sum += *x;
    }
    let scale = 1.0 / (sum + sums.reduce_add());
    x.iter_mut().for_each(|x| *x *= scale);
}

/// `x + y` into `x`.
pub(super) fn add(x: &mut [f32], y: &[f32]) {
    x.iter_mut().zip(y).for_each(|(x, y)| *x += y);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operations;

    /// Lengths below, at and past a vector; values from both ends of what `exp` takes.
    #[test]
    fn formulas_equal_the_references() {
        for len in [1, 3, 4, 16, 19, 64] {
            let x: Vec<f32> = (0..len).map(|i| (i * 37 % 23) as f32 * 1.7 - 19.0).collect();
            let weight: Vec<f32> = (0..len).map(|i| (i * 5 % 7) as f32 - 2.5).collect();
            let check = |what: &str, got: &[f32], expected: &[f32]| {
                assert_eq!(got.len(), expected.len(), "{what}");
                for (i, (got, expected)) in got.iter().zip(expected).enumerate() {
                    let bound = 1e-6 * expected.abs() + 1e-9;
                    assert!(
                        (got - expected).abs() <= bound,
                        "{what}[{i}] of {len}: {got}, expected {expected}"
                    );
                }
            };
            let two = [x.clone(), weight.clone()].concat();
            let expected = [&x, &weight].map(|token| operations::rms_norm(token, &weight, 3.5)).concat();
            check("rms_norm", &rms_norm(&two, &weight, 3.5), &expected);
            let mut gate = x.clone();
            swiglu(&mut gate, &weight);
            check("swiglu", &gate, &operations::swiglu(&x, &weight));
            let (mut got, mut expected) = (x.clone(), x);
            softmax(&mut got);
            operations::softmax(&mut expected);
            check("softmax", &got, &expected);
        }
    }

    #[test]
    fn what_is_no_number_stays_none() {
        for at in [0, 5] {
            let mut x = [1.0; 6];
            x[at] = f32::NAN;
            softmax(&mut x);
            assert!(x[1].is_nan(), "{at}: {x:?}");
        }
    }
}
