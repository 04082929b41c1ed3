//! The sampler against Hugging Face's processors, written down once more in `f64`, and against its own probabilities.

use super::*;

/// Numbers in -1..1, the same for the same seed.
fn random(seed: u64, len: usize) -> Vec<f32> {
    let mut state = seed;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / 2f32.powi(23) - 1.0
    };
    std::iter::repeat_with(next).skip(8).take(len).collect()
}

fn logits(seed: u64, len: usize, scale: f32) -> Vec<f32> {
    random(seed, len).into_iter().map(|logit| logit * scale).collect()
}

fn drawing(temperature: f32, top_k: u32, top_p: f32, min_p: f32) -> Sampling {
    Sampling { temperature, top_k, top_p, min_p, ..Sampling::default() }
}

/// Probabilities as Hugging Face's processors leave them, one after the other: temperature, top-k, top-p, min-p.
/// Beside them, by how much of the mass each token is inside or outside of `top_p`.
fn hugging_face(scores: &[f32], sampling: &Sampling) -> Vec<(f64, f64)> {
    let mut scores: Vec<f64> =
        scores.iter().map(|score| f64::from(*score) / f64::from(sampling.temperature)).collect();
    let softmax = |scores: &[f64]| -> Vec<f64> {
        let highest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let weights: Vec<f64> = scores.iter().map(|score| (score - highest).exp()).collect();
        let total: f64 = weights.iter().sum();
        weights.iter().map(|weight| weight / total).collect()
    };
    if sampling.top_k > 0 && (sampling.top_k as usize) < scores.len() {
        let mut order = scores.clone();
        order.sort_by(|a, b| b.total_cmp(a));
        let last = order[sampling.top_k as usize - 1];
        scores.iter_mut().filter(|score| **score < last).for_each(|score| *score = f64::NEG_INFINITY);
    }
    let probabilities = softmax(&scores);
    let mut order: Vec<f64> = probabilities.clone();
    order.sort_by(|a, b| b.total_cmp(a));
    let mut above = std::collections::BTreeMap::new();
    let mut sum = 0.0;
    for probability in order {
        above.entry(probability.to_bits()).or_insert(sum);
        sum += probability;
    }
    let top_p = f64::from(sampling.top_p);
    let margins: Vec<f64> =
        probabilities.iter().map(|probability| (above[&probability.to_bits()] - top_p).abs()).collect();
    for (score, probability) in scores.iter_mut().zip(&probabilities) {
        if top_p < 1.0 && above[&probability.to_bits()] >= top_p {
            *score = f64::NEG_INFINITY;
        }
    }
    let probabilities = softmax(&scores);
    let most = probabilities.iter().copied().fold(0.0, f64::max);
    for (score, probability) in scores.iter_mut().zip(probabilities) {
        if probability < f64::from(sampling.min_p) * most {
            *score = f64::NEG_INFINITY;
        }
    }
    softmax(&scores).into_iter().zip(margins).collect()
}

/// What may be drawn is what Hugging Face leaves, but for tokens at the very edge of `top_p`: sums of 128,256 weights in
/// parts of 2^-31 are known to 6e-5 of the likeliest at worst.
#[track_caller]
fn check_allowed(scores: &[f32], sampling: &Sampling) {
    let distances = distances(scores, sampling);
    let farthest = farthest(&distances, sampling);
    let expected = hugging_face(scores, sampling);
    for (id, (distance, (probability, margin))) in distances.iter().zip(expected).enumerate() {
        let (got, expected) = (*distance <= farthest, probability > 1e-13);
        // Scores that differ by less than a distance can are taken for equals, and equals stay together.
        let equals_the_last = got && *distance == farthest;
        assert!(
            got == expected || margin < 1e-4 || equals_the_last,
            "id {id} of {}: drawn {got}, expected {expected}, {sampling:?}",
            scores.len()
        );
    }
}

#[test]
fn what_may_be_drawn_is_what_hugging_face_leaves() {
    for (len, scale) in [(1, 3.0), (5, 3.0), (333, 1.0), (333, 9.0), (5000, 12.0), (128_256, 0.01)] {
        for top_k in [0, 1, 2, 40, 5000] {
            for (top_p, min_p) in [(1.0, 0.0), (0.9, 0.0), (0.3, 0.0), (1.0, 0.05), (0.95, 0.2), (0.001, 1.0)]
            {
                for temperature in [0.7, 1.0, 3.0] {
                    check_allowed(&logits(7, len, scale), &drawing(temperature, top_k, top_p, min_p));
                }
            }
        }
    }
}

#[test]
fn equals_are_never_torn_apart() {
    // Six of the highest, four behind them, and one far off.
    let scores = [2.0, 1.0, 2.0, 2.0, 1.0, 2.0, -50.0, 1.0, 2.0, 1.0, 2.0];
    let allowed = |sampling: Sampling| {
        let distances = distances(&scores, &sampling);
        let farthest = farthest(&distances, &sampling);
        distances.iter().filter(|distance| **distance <= farthest).count()
    };
    for (sampling, expected) in [
        (drawing(1.0, 1, 1.0, 0.0), 6),
        (drawing(1.0, 7, 1.0, 0.0), 10),
        // The six have 0.803 of the mass.
        (drawing(1.0, 0, 0.1, 0.0), 6),
        (drawing(1.0, 0, 0.8, 0.0), 6),
        (drawing(1.0, 0, 0.81, 0.0), 10),
        (drawing(1.0, 0, 1.0, 0.36), 10),
        (drawing(1.0, 0, 1.0, 0.37), 6),
        // e^-52 of the likeliest is never drawn, whatever is asked for.
        (drawing(1.0, 0, 1.0, 0.0), 10),
        (drawing(5.0, 0, 1.0, 0.0), 11),
        (drawing(5.0, 11, 1.0, 0.0), 11),
        // Far off in the eyes of a low temperature.
        (drawing(1e-3, 3, 1.0, 0.0), 6),
    ] {
        assert_eq!(allowed(sampling.clone()), expected, "{sampling:?}");
    }
}

/// How far 20,000 draws are from their probabilities: the chi-square statistic, and its degrees of freedom.
/// Tokens that are expected fewer than 5 times are counted as one.
fn chi_square(scores: &[f32], sampling: &Sampling) -> (f64, f64) {
    const DRAWS: u32 = 20_000;
    let mut counts = vec![0u32; scores.len()];
    for draw in 0..DRAWS {
        // Seeds and positions both.
        let sampling = Sampling { seed: u64::from(draw / 20), ..sampling.clone() };
        let seen = vec![0; draw as usize % 20];
        counts[choose(scores, &sampling, &seen).unwrap() as usize] += 1;
    }
    let mut bins: Vec<(f64, f64)> = Vec::new();
    let mut rest = (0.0, 0.0);
    for (id, (count, (probability, _))) in counts.iter().zip(hugging_face(scores, sampling)).enumerate() {
        assert!(probability > 0.0 || *count == 0, "id {id} was drawn and may not be, {sampling:?}");
        let bin = (f64::from(*count), probability * f64::from(DRAWS));
        match bin.1 < 5.0 {
            true => rest = (rest.0 + bin.0, rest.1 + bin.1),
            false => bins.push(bin),
        }
    }
    bins.extend((rest.1 > 5.0).then_some(rest));
    let statistic = bins.iter().map(|(count, expected)| (count - expected).powi(2) / expected).sum();
    (statistic, bins.len() as f64 - 1.0)
}

/// The statistic of true draws has its degrees of freedom for a mean and twice as much for a variance, and exceeds the
/// mean by 5 deviations about once in ten thousand settings.
#[test]
fn tokens_come_as_often_as_their_probabilities_say() {
    for (len, scale, sampling) in [
        (2, 1.0, drawing(1.0, 0, 1.0, 0.0)),
        (8, 2.0, drawing(1.0, 0, 1.0, 0.0)),
        (8, 2.0, drawing(0.5, 0, 1.0, 0.0)),
        (100, 3.0, drawing(1.3, 20, 1.0, 0.0)),
        (100, 3.0, drawing(1.0, 0, 0.8, 0.0)),
        (100, 3.0, drawing(1.0, 0, 1.0, 0.1)),
        (333, 4.0, drawing(1.5, 50, 0.9, 0.02)),
        (333, 0.0, drawing(1.0, 0, 1.0, 0.0)),
    ] {
        let (statistic, freedom) = chi_square(&logits(3, len, scale), &sampling);
        let bound = freedom + 5.0 * (2.0 * freedom).sqrt();
        eprintln!(
            "{len} tokens, {sampling:?}: {statistic:.1} of {freedom} degrees of freedom, bound {bound:.1}"
        );
        assert!(statistic <= bound, "{len} tokens, {sampling:?}: {statistic} of {freedom}");
    }
}

#[test]
fn a_seed_and_a_position_decide_alone() {
    let scores = logits(1, 500, 0.5);
    let draw =
        |seed, seen: &[u32]| choose(&scores, &Sampling { seed, ..drawing(1.0, 0, 1.0, 0.0) }, seen).unwrap();
    let first: Vec<u32> = (0..50).map(|position| draw(0, &vec![1; position])).collect();
    let again: Vec<u32> = (0..50).map(|position| draw(0, &vec![2; position])).collect();
    assert_eq!(first, again);
    for seed in [1, 1 << 32, u64::MAX] {
        let other: Vec<u32> = (0..50).map(|position| draw(seed, &vec![1; position])).collect();
        let same = first.iter().zip(&other).filter(|(a, b)| a == b).count();
        assert!(same < 5, "seed {seed} draws {same} of 50 as seed 0 does");
    }
}

#[test]
fn what_cannot_be_drawn_from_and_what_is_hardly_there() {
    let drawn = |scores: &[f32]| choose(scores, &drawing(1.0, 3, 0.9, 0.1), &[]);
    assert_eq!(drawn(&[]), None);
    assert_eq!(drawn(&[1.0, f32::NAN, 2.0]), None);
    assert_eq!(drawn(&[f32::NEG_INFINITY, 1.0, f32::NEG_INFINITY]), Some(1));
    assert_eq!(drawn(&[1.0, f32::INFINITY, 2.0]), Some(1));
    assert!(drawn(&[f32::NEG_INFINITY; 4]).is_some());
    let greedy = |scores: &[f32]| choose(scores, &Sampling::default(), &[]);
    assert_eq!(greedy(&[1.0, 3.0, 3.0, 2.0]), Some(1));
    assert_eq!(greedy(&[f32::NEG_INFINITY; 3]), Some(0));
    assert_eq!(greedy(&[1.0, f32::NAN]), None);
}

#[test]
fn settings_change_scores_in_their_order() {
    let logits = [4.0, -4.0, 1.0, 0.5];
    let penalties = Penalties { repetition: 2.0, frequency: 0.25, presence: 0.5, window: 3 };
    let mut sampling = Sampling { penalties, logit_bias: vec![(2, -3.0)], ..Sampling::default() };
    // The first 0 is outside the window: 1 and 2 were there, 2 twice, biased before it is penalized.
    let seen = [0, 2, 1, 2];
    assert_eq!(scores(&logits, &sampling, &seen), [4.0, -8.75, -5.0, 0.5]);
    assert_eq!(choose(&logits, &sampling, &seen), Some(0));
    sampling.mask = Some(vec![0b0110]);
    assert_eq!(scores(&logits, &sampling, &seen), [MASKED, -8.75, -5.0, MASKED]);
    assert_eq!(choose(&logits, &sampling, &seen), Some(2));
    // Where none is allowed, none is chosen; words that are not there allow nothing.
    for (mask, temperature) in [(vec![0], 0.0), (vec![0], 1.0), (vec![], 0.0), (vec![], 1.0)] {
        let nothing = Sampling { mask: Some(mask), temperature, ..sampling.clone() };
        assert_eq!(choose(&logits, &nothing, &seen), None, "{nothing:?}");
    }
    // Even with every allowed logit at its lowest, no other is taken.
    let lowest = [1.0, f32::NEG_INFINITY, f32::NEG_INFINITY, 2.0];
    for temperature in [0.0, 1.0] {
        let chosen = choose(&lowest, &Sampling { temperature, ..sampling.clone() }, &[]);
        assert!(matches!(chosen, Some(1 | 2)), "{chosen:?} at {temperature}");
    }
}

#[test]
fn noise_is_gumbels() {
    // Where the series ends the logarithm goes on, and both ends are finite.
    let (below, above) = (gumbel((1 << 28) - 1), gumbel(1 << 28));
    assert!((below - above).abs() < 1e-5, "{below} {above}");
    assert!((gumbel(0) - 22.87).abs() < 0.01 && (gumbel(u32::MAX) + 3.13).abs() < 0.01);
    // Its mean is Euler's constant and its variance pi^2 / 6: of 100,000 the mean is known to 0.004.
    let key = noise_key([5, 0], 9);
    let all: Vec<f64> = (0..100_000).map(|id| f64::from(gumbel(noise(key, id)))).collect();
    let mean = all.iter().sum::<f64>() / 1e5;
    let variance = all.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / 1e5;
    assert!((mean - 0.5772).abs() < 0.02, "{mean}");
    assert!((variance - 1.6449).abs() < 0.05, "{variance}");
}

#[test]
fn log_probabilities_are_the_models_own() {
    // e^1 + 2 e^0 + e^-1 = 5.0862
    let got = log_probs(&[0.0, 1.0, -1.0, 0.0], 2, 3);
    let total = 5.086_161_f32.ln();
    assert!((got.chosen - (-1.0 - total)).abs() < 1e-6, "{got:?}");
    let ids: Vec<u32> = got.top.iter().map(|(id, _)| *id).collect();
    assert_eq!(ids, [1, 0, 3]);
    assert!((got.top[0].1 - (1.0 - total)).abs() < 1e-6 && got.top[1].1 == got.top[2].1, "{got:?}");
    let sum: f64 =
        log_probs(&logits(4, 5000, 9.0), 0, 5000).top.iter().map(|(_, p)| f64::from(*p).exp()).sum();
    assert!((sum - 1.0).abs() < 1e-5, "{sum}");
}
