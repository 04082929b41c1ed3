//! Rotary position embedding: each pair of neighbours in a head is turned by an angle that grows with the position.
//!
//! ```text
//! inv_freq[i] = rope_theta^(-2i / head_dim) / rope_freqs[i]           i = 0 .. head_dim / 2
//! (x[2i], x[2i + 1]) turns by position * inv_freq[i]
//! ```
//!
//! Pairs are neighbours, as in GGUF and in Meta's own files. Hugging Face's have `(i, i + head_dim / 2)` instead,
//! with the rows of `q_proj` and `k_proj` reordered to match. `rope_freqs` is Llama 3's scaling, where there is one.

use format::Config;

/// The frequencies, `[head_dim / 2]`, in radians a position.
pub(crate) fn inv_freq(config: &Config, rope_freqs: Option<&[f32]>) -> Vec<f32> {
    let exponent = |i: usize| -2.0 * i as f64 / config.head_dim as f64;
    let unscaled = (0..config.head_dim / 2).map(|i| config.rope_theta.powf(exponent(i)) as f32);
    match rope_freqs {
        None => unscaled.collect(),
        Some(divisors) => unscaled.zip(divisors).map(|(inv_freq, divisor)| inv_freq / divisor).collect(),
    }
}

/// Cosine and sine of each frequency's angle at a position, `[head_dim / 2]`.
///
/// The angle is taken in `f64`: at position 131,071 an `f32` has no more than two decimals left.
pub(crate) fn rotation(inv_freq: &[f32], position: usize) -> Vec<(f32, f32)> {
    let angles = inv_freq.iter().map(|inv_freq| position as f64 * f64::from(*inv_freq));
    angles.map(|angle| (angle.cos() as f32, angle.sin() as f32)).collect()
}

/// Turns all heads of `x`, `[heads * head_dim]`.
pub(crate) fn rope(x: &mut [f32], rotation: &[(f32, f32)]) {
    for head in x.chunks_exact_mut(2 * rotation.len()) {
        for ([x0, x1], (cos, sin)) in head.as_chunks_mut().0.iter_mut().zip(rotation) {
            (*x0, *x1) = (*x0 * cos - *x1 * sin, *x0 * sin + *x1 * cos);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frequencies_of_llama_3_1() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/rope/llama3_1_rope.json");
        let golden: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let list = |key: &str| -> Vec<f32> {
            golden[key].as_array().unwrap().iter().map(|value| value.as_f64().unwrap() as f32).collect()
        };
        let config = Config::LLAMA_3_1_8B;
        let rope_freqs = list("gguf_rope_freqs_weight");
        let rows = [
            ("inv_freq_unscaled", inv_freq(&config, None)),
            ("inv_freq_scaled", inv_freq(&config, Some(&rope_freqs))),
        ];
        for (key, got) in rows {
            let expected = list(key);
            assert_eq!((got.len(), expected.len()), (64, 64), "{key}");
            for (i, (got, expected)) in got.iter().zip(&expected).enumerate() {
                // Two roundings to f32.
                let bound = 2.0 * f32::EPSILON * expected;
                assert!((got - expected).abs() <= bound, "{key}[{i}]: got {got}, expected {expected}");
            }
        }
    }

    #[test]
    fn neighbours_turn_in_every_head() {
        // A quarter turn, and no turn.
        let rotation = [(0.0, 1.0), (1.0, 0.0)];
        let mut x = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0];
        rope(&mut x, &rotation);
        assert_eq!(x, [-2.0, 1.0, 3.0, 4.0, -6.0, 5.0, 7.0, 8.0]);
    }

    #[test]
    fn far_positions_keep_their_precision() {
        // The cosines and sines of 131,071 and of 131,071 * 0.7f32, worked out with 60 digits.
        let expected = [(-0.817_983_5, -0.575_241_7), (-0.870_287_5, 0.492_544_05)];
        for (got, expected) in rotation(&[1.0, 0.7], 131_071).iter().zip(expected) {
            let error: f32 = (got.0 - expected.0).abs().max((got.1 - expected.1).abs());
            assert!(error <= 1e-7, "got {got:?}, expected {expected:?}");
        }
    }
}
